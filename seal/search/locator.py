"""What finds targets: a strategy explores one image, a locator drives many searches."""

from __future__ import annotations

from collections.abc import Generator, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from PIL.Image import Image

from seal.search.budget import BudgetConfig
from seal.search.protocol import Ask, AskAll, QueryKind
from seal.search.result import SearchResult

Search: TypeAlias = Generator[Ask | AskAll, Any, SearchResult]


class Strategy(Protocol):
    """A way to explore: yields what it asks, is sent the answers, returns the result."""

    needs: frozenset[QueryKind]  # the kinds it may ask for

    def explore(
        self, image: Image, target: str, question: str = "", num_targets: int = 1
    ) -> Search:
        """`question`: what the target is wanted for; "" if nobody asked. `num_targets`: how many
        things it names, this one among them.
        """
        ...


@dataclass(frozen=True, slots=True)
class LocateRequest:
    """What is to be found, and where. A search needs the target; other locators the question."""

    image: Image
    target: str
    question: str = ""  # what it is wanted for; "" if nobody asked
    num_targets: int = 1  # that are wanted for it, this one among them
    budget: BudgetConfig | None = None  # of this search, beside that of its strategy; the tighter
    # Whose cost the search is, where several are asked together; no part of what is sought.
    asked_for: Hashable | None = field(default=None, compare=False, repr=False)


class Locator(Protocol):
    """Finds many targets, each in its image."""

    def locate(self, requests: Sequence[LocateRequest]) -> list[SearchResult]: ...
