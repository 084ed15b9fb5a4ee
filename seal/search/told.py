"""Searches that tell of their visits while they last, of whatever locator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from seal.search.locator import LocateRequest, Locator
from seal.search.result import SearchResult
from seal.search.tree import SearchNode

TellVisit: TypeAlias = Callable[[int, SearchNode], None]  # place of the request, region it has left
TellEnd: TypeAlias = Callable[[int, SearchResult], None]


def locate_told(
    locator: Locator, requests: Sequence[LocateRequest], on_visit: TellVisit, on_end: TellEnd
) -> list[SearchResult]:
    """As `locator.locate`; each visit is told once it is over, and each result.

    A locator that tells while it searches says so (`tells_visits`) and takes both. Of any other,
    everything is told once all of its searches are over. What `on_visit` raises ends the search
    that it is told of, where searches tell of themselves, else all of them.
    """
    if getattr(locator, "tells_visits", False):
        telling: Any = locator
        found: list[SearchResult] = telling.locate(requests, on_visit=on_visit, on_end=on_end)
        return found
    results = locator.locate(requests)
    for place, result in enumerate(results):
        for node in result.path:
            on_visit(place, node)
        on_end(place, result)
    return results
