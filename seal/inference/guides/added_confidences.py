"""The confidences that a guide lacks, made of what it gives and of what the answer model says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL.Image import Image

from seal.inference.answers.protocol import AnswerModel
from seal.inference.guides.vlm_yes_no import YesNoGuide
from seal.search.cache import CachedModel
from seal.search.config import SearchConfig
from seal.search.protocol import (
    Cue,
    Detections,
    Heat,
    Query,
    QueryKind,
    answered_kinds,
)

DETECTED: frozenset[QueryKind] = frozenset({"detect", "target_heat"})


def added_kinds(own: frozenset[QueryKind], *, answers: bool) -> frozenset[QueryKind]:
    """What can be made for a guide that answers `own`; `answers`: there is an answer model."""
    made: set[QueryKind] = {"existing", "latent"} if own >= DETECTED else set()
    if answers:
        made.add("answering")
    return frozenset(made - own)


class AddedConfidences:
    """A `SearchModel` with `Confidences`: the guide's own where it has them.

    Else `existing` is the score of the guide's best detection, `latent` how the peak p of the
    target's heat compares with the t above which it guides a search, p / (p + t), and `answering`
    what the answer model says of itself. What is asked of a region once is kept until its image is
    forgotten.
    """

    def __init__(
        self, model: Any, answer_model: AnswerModel | None, config: SearchConfig | None = None
    ) -> None:
        """`config`: of the search; its `cue_threshold_min` is t."""
        self.model = model if isinstance(model, CachedModel) else CachedModel(model)
        self.threshold = (config or SearchConfig()).cue_threshold_min
        own = answered_kinds(model)
        self.added = added_kinds(own, answers=answer_model is not None)
        self.kinds: frozenset[QueryKind] = own | self.added
        self._answers: CachedModel | None = None
        if answer_model is not None and "answering" in self.added:
            self._answers = CachedModel(YesNoGuide(answer_model))

    @property
    def passes_to(self) -> tuple[CachedModel, ...]:
        """What answers; see `speed.answering_models`."""
        return (self.model,)

    @property
    def late_heat(self) -> bool:
        """That of the guide; see `speed.Pace`."""
        return self.model.late_heat

    def detect(self, queries: Sequence[Query]) -> list[Detections]:
        return self.model.detect(queries)

    def contextual_cue(self, queries: Sequence[Query]) -> list[Cue]:
        return self.model.contextual_cue(queries)

    def cue_heatmap(self, queries: Sequence[Query]) -> list[Heat]:
        return self.model.cue_heatmap(queries)

    def target_heat(self, queries: Sequence[Query]) -> list[Heat]:
        return self.model.target_heat(queries)

    def expert(self, queries: Sequence[Query]) -> list[Detections]:
        return self.model.expert(queries)

    def existing(self, queries: Sequence[Query]) -> list[float]:
        if "existing" not in self.added:
            return self.model.existing(queries)
        found = self.model.detect([_as(query, "detect") for query in queries])
        return [float(each.scores.max(initial=0.0)) for each in found]

    def latent(self, queries: Sequence[Query]) -> list[float]:
        if "latent" not in self.added:
            return self.model.latent(queries)
        peaks = [heat.peak() for heat in self._heats(queries)]
        return [peak / (peak + self.threshold) if peak > 0 else 0.0 for peak in peaks]

    def answering(self, queries: Sequence[Query]) -> list[float]:
        if self._answers is None:
            return self.model.answering(queries)
        return self._answers.answering(queries)

    def settings(self) -> dict[str, Any]:
        """Those of the guide, and which confidences were made for it."""
        told = self.model.settings()
        return told | {"confidences_added": sorted(self.added)}

    def forget(self, image: Image) -> None:
        """Drop what is known about an image."""
        for cached in (self.model, self._answers):
            for holder in (cached, getattr(cached, "model", None)):
                # Only what keeps something has something to forget.
                forget = getattr(holder, "forget", None)
                if forget is not None:
                    forget(image)

    def _heats(self, queries: Sequence[Query]) -> list[Heat]:
        """The heat that came with the detections, where it did."""
        heats = [each.heat for each in self.model.detect([_as(q, "detect") for q in queries])]
        later = [i for i, heat in enumerate(heats) if heat is None]
        asked = self.model.target_heat([_as(queries[i], "target_heat") for i in later])
        for i, heat in zip(later, asked, strict=True):
            heats[i] = heat
        return [heat for heat in heats if heat is not None]


def _as(query: Query, kind: QueryKind) -> Query:
    return Query(kind, query.patch, query.text)
