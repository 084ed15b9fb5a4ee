"""A search model that answers each question once, so that all strategies replay from one cache."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from PIL.Image import Image

from seal.geometry import Box
from seal.search.protocol import (
    Cue,
    Detections,
    Heat,
    Query,
    QueryKind,
    SearchModel,
    answered_kinds,
    target_heats,
)

Key = tuple[Box, QueryKind, str]  # region, kind, text


class CachedModel:
    """Wraps a model; an answer is kept until its image is forgotten.

    Images are told apart by identity, not content: open an image once and pass the same object.
    """

    def __init__(self, model: SearchModel) -> None:
        self.model = model
        self.hits = 0
        self.misses = 0
        # By identity of the image, which is kept alive so that its identity is not reused.
        self._by_image: dict[int, tuple[Image, dict[Key, Any]]] = {}

    @property
    def kinds(self) -> frozenset[QueryKind]:
        """Those of the model; see `answered_kinds`."""
        return answered_kinds(self.model)

    @property
    def passes_to(self) -> tuple[SearchModel, ...]:
        """What answers; see `speed.answering_models`."""
        return (self.model,)

    @property
    def late_heat(self) -> bool:
        """That of the model; see `speed.Pace`."""
        return getattr(self.model, "late_heat", False)

    def detect(self, queries: Sequence[Query]) -> list[Detections]:
        return self._ask("detect", queries)

    def contextual_cue(self, queries: Sequence[Query]) -> list[Cue]:
        return self._ask("contextual_cue", queries)

    def cue_heatmap(self, queries: Sequence[Query]) -> list[Heat]:
        return self._ask("cue_heatmap", queries)

    def target_heat(self, queries: Sequence[Query]) -> list[Heat]:
        return self._ask("target_heat", queries)

    def existing(self, queries: Sequence[Query]) -> list[float]:
        return self._ask("existing", queries)

    def latent(self, queries: Sequence[Query]) -> list[float]:
        return self._ask("latent", queries)

    def answering(self, queries: Sequence[Query]) -> list[float]:
        return self._ask("answering", queries)

    def expert(self, queries: Sequence[Query]) -> list[Detections]:
        return self._ask("expert", queries)

    def settings(self) -> dict[str, Any]:
        """Those of the model; empty if it tells none."""
        settings = getattr(self.model, "settings", None)
        return {} if settings is None else dict(settings())

    def forget(self, image: Image) -> None:
        """Drop every answer about an image."""
        self._by_image.pop(id(image), None)

    def _ask(self, kind: QueryKind, queries: Sequence[Query]) -> list[Any]:
        new: dict[tuple[int, Key], Query] = {}  # a question asked twice in a batch is put once
        for query in queries:
            key = self._key(kind, query)
            if key not in self._answers(query):
                new[id(query.patch.image), key] = query
        if new:
            ask = partial(target_heats, self.model)
            if kind != "target_heat":
                ask = getattr(self.model, kind)
            answers = ask(list(new.values()))
            for query, answer in zip(new.values(), answers, strict=True):
                self._answers(query)[self._key(kind, query)] = answer
        self.hits += len(queries) - len(new)
        self.misses += len(new)
        return [self._answers(query)[self._key(kind, query)] for query in queries]

    def _key(self, kind: QueryKind, query: Query) -> Key:
        return query.patch.box, kind, query.text

    def _answers(self, query: Query) -> dict[Key, Any]:
        image = query.patch.image
        return self._by_image.setdefault(id(image), (image, {}))[1]
