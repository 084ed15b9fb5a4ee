"""What every guide is besides a `SearchModel`: it has a name, a cost, and numbers of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from PIL.Image import Image

from seal.search.config import SearchConfig
from seal.search.protocol import QueryKind


@dataclass(slots=True)
class GuideCost:
    """What a guide has done so far; a guide counts what it does and leaves the rest at 0."""

    queries: dict[str, int] = field(default_factory=dict)  # answered, by kind
    calls: int = 0  # passes of a network, each of one batch
    crops_encoded: int = 0  # each once, whatever was asked about it
    texts_encoded: int = 0  # prompts read, each once
    tokens_generated: int = 0

    def count(self, kind: QueryKind, number: int) -> None:
        """Add `number` queries of a kind."""
        self.queries[kind] = self.queries.get(kind, 0) + number


class Guide(Protocol):
    """A guide also has a method for each of its `kinds`, as `SearchModel` and its like say."""

    name: str  # of `config.GUIDES`
    kinds: frozenset[QueryKind]
    cost: Any  # a dataclass, as `GuideCost`

    def search_config(self) -> SearchConfig:
        """The numbers of a search that suit this guide."""
        ...

    def forget(self, image: Image) -> None:
        """Drop what is known about an image."""
        ...

    def settings(self) -> dict[str, Any]:
        """Which model this is and how it is used, JSON-able; stands in every result."""
        ...
