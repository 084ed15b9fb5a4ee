"""What happens while a question is answered, told as it happens: to progress bars and pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from seal.pipeline.planner.plan import Plan
from seal.search.result import SearchResult
from seal.search.tree import SearchNode


@dataclass(frozen=True, slots=True)
class Planned:
    """The first answer was given: what it said, and what is to be searched for."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class Visited:
    """A search has left a region: what it saw there, and what will guide it on."""

    target: str
    place: int  # of the target among those of the question, from 0
    number: int  # of the visit, from 1
    node: SearchNode


@dataclass(frozen=True, slots=True)
class Searched:
    """A search is over."""

    place: int  # as above
    result: SearchResult


Event: TypeAlias = Planned | Visited | Searched
OnEvent: TypeAlias = Callable[[Event], None]  # what it raises ends the question it is told of
