"""What the search asks of a model, and nothing more. No torch in this package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import numpy as np
from PIL.Image import Image

from seal.geometry import Box
from seal.images import cut


@dataclass(frozen=True, slots=True)
class Patch:
    """A region of an image. A network looks at `crop()`; an oracle only at `box`."""

    image: Image
    box: Box  # image pixels

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
    """Scored candidate boxes for one target in patch pixels, and the target's cue heat."""

    boxes: np.ndarray  # (N, 4) xyxy float32
    scores: np.ndarray  # (N,) float32 in [0, 1]
    heat: Heat


QueryKind: TypeAlias = Literal["detect", "contextual_cue", "cue_heatmap"]


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


@dataclass(frozen=True, slots=True)
class Cue:
    """Where the model says a target most likely is."""

    answer: str  # the full sentence
    phrase: str  # the location phrase taken out of it, e.g. "the table"
    extractor: str  # what took it out: "spacy", "fallback", "oracle", ...


class SearchModel(Protocol):
    """Each method answers a batch of queries, in order."""

    def detect(self, queries: Sequence[Query]) -> list[Detections]:
        """Find `text`, the target, in the patch."""
        ...

    def contextual_cue(self, queries: Sequence[Query]) -> list[Cue]:
        """Say where `text`, the target, most likely is in the patch."""
        ...

    def cue_heatmap(self, queries: Sequence[Query]) -> list[Heat]:
        """The heat of the phrase `text` over the patch."""
        ...
