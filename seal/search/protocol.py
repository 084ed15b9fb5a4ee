"""What the search asks of a model, and nothing more. No torch in this package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, TypeAlias, get_args

import numpy as np
from PIL.Image import Image

from seal.geometry import Box
from seal.images import cut


@dataclass(frozen=True, slots=True)
class Patch:
    """A region of an image. A network looks at `crop()`; an oracle only at `box`."""

    image: Image
    box: Box  # image pixels

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of `crop()`."""
        x0, y0, x1, y1 = self.box.as_ints()
        return x1 - x0, y1 - y0

    def crop(self) -> Image:
        return cut(self.image, self.box.as_ints())


class Heat(Protocol):
    """A non-negative cue map over a patch, wherever it lives. Regions are in patch pixels."""

    def peak(self) -> float:
        """The largest value of the raw map (logits clamped at 0)."""
        ...

    def shares(self, regions: Sequence[Box]) -> list[float]:
        """The fraction of the min-max normalized map's mass inside each region."""
        ...

    def to_numpy(self) -> np.ndarray:
        """(H, W) float32 raw map at patch resolution, for traces and pictures."""
        ...


@dataclass(frozen=True, slots=True)
class Detections:
    """Scored candidate boxes for one target in patch pixels, and the target's cue heat.

    A detector that makes no heat, or makes it at a price, leaves it out; `target_heat` is asked for
    it where it decides something.
    """

    boxes: np.ndarray  # (N, 4) xyxy float32
    scores: np.ndarray  # (N,) float32 in [0, 1]
    heat: Heat | None = None
    said: str | None = None  # of a model that says what it read or wrote, for the trace


QueryKind: TypeAlias = Literal[
    "detect", "contextual_cue", "cue_heatmap", "target_heat", "existing", "latent", "answering",
    "expert",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Query:
    """One question to a search model; `kind` is the method that answers it."""

    kind: QueryKind
    patch: Patch
    text: str


@dataclass(frozen=True, slots=True)
class Ask:
    """A query, and the patches whose turn would come next if it does not settle the search.

    `upcoming` lets a driver evaluate detections ahead in the same batch; it never changes the
    order of visits.
    """

    query: Query
    upcoming: tuple[Patch, ...] = ()
    visit: Any = None  # the `SearchNode` whose visit begins, for whoever watches the search

    @property
    def queries(self) -> tuple[Query, ...]:
        return (self.query,)


@dataclass(frozen=True, slots=True)
class AskAll:
    """Queries of one kind whose answers are needed together; they are sent back as a list."""

    queries: tuple[Query, ...]

    def __post_init__(self) -> None:
        kinds = {query.kind for query in self.queries}
        assert len(kinds) == 1, f"queries of the kinds {sorted(kinds)}"


@dataclass(frozen=True, slots=True)
class Cue:
    """Where the model says a target most likely is."""

    answer: str  # the full sentence
    phrase: str  # the location phrase taken out of it, e.g. "the table"
    extractor: str  # what took it out: "spacy", "fallback", "oracle", ...


class SearchModel(Protocol):
    """Each method answers a batch of queries, in order.

    A model may have those of `TargetHeat` and `Confidences` as well, or lack some of these; what it
    answers is told by `answered_kinds`.
    """

    def detect(self, queries: Sequence[Query]) -> list[Detections]:
        """Find `text`, the target, in the patch."""
        ...

    def contextual_cue(self, queries: Sequence[Query]) -> list[Cue]:
        """Say where `text`, the target, most likely is in the patch."""
        ...

    def cue_heatmap(self, queries: Sequence[Query]) -> list[Heat]:
        """The heat of the phrase `text` over the patch."""
        ...


class TargetHeat(Protocol):
    """What a search model whose detections come without heat has in addition."""

    def target_heat(self, queries: Sequence[Query]) -> list[Heat]:
        """The heat of `text`, the target, over the patch."""
        ...


def target_heats(model: Any, queries: Sequence[Query]) -> list[Heat]:
    """What `target_heat` answers, of a model without it the heats that come with detections."""
    if hasattr(model, "target_heat"):
        heats: list[Heat] = model.target_heat(queries)
        return heats
    heats = []
    for found in model.detect([replace(query, kind="detect") for query in queries]):
        assert found.heat is not None, "a model without target_heat detects with heat"
        heats.append(found.heat)
    return heats


class Confidences(Protocol):
    """How sure a model is, from 0 to 1, of what decides where and how long to look (ZoomEye)."""

    def existing(self, queries: Sequence[Query]) -> list[float]:
        """That `text`, the target, can be seen in the patch."""
        ...

    def latent(self, queries: Sequence[Query]) -> list[float]:
        """That `text`, the target, would be found by looking closer at the patch."""
        ...

    def answering(self, queries: Sequence[Query]) -> list[float]:
        """That `text`, a question, can be answered from the patch."""
        ...


class Expert(Protocol):
    """A specialist that looks once, at the whole image, before anything is searched."""

    def expert(self, queries: Sequence[Query]) -> list[Detections]:
        """Find `text`, the target, in the patch."""
        ...


def answered_kinds(model: object) -> frozenset[QueryKind]:
    """The kinds of query a model answers, `target_heat` among them if its detections carry heat.

    What its `kinds` says; of a model that says nothing, what it has methods for, and heat with its
    detections.
    """
    kinds: frozenset[QueryKind] | None = getattr(model, "kinds", None)
    if kinds is None:
        kinds = frozenset(kind for kind in get_args(QueryKind) if hasattr(model, kind))
        kinds |= {"target_heat"}
    return kinds
