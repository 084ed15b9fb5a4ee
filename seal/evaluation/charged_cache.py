"""What a guide asks the answer model is remembered, and charged to every system that asks it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from PIL.Image import Image

from seal.evaluation.first_answers import FirstAnswers
from seal.inference.answers.protocol import Cost
from seal.search.cache import CachedModel, Key
from seal.search.protocol import Query, QueryKind, SearchModel


class ChargedCache(CachedModel):
    """A `CachedModel` of a guide that may ask the answer model: what is known costs again.

    A query costs an equal part of the pass that it was answered in.
    """

    def __init__(self, model: SearchModel, answers: FirstAnswers) -> None:
        super().__init__(model)
        self.answers = answers
        self._costs: dict[int, dict[Key, Cost]] = {}  # by identity of the image, which is kept

    def _ask(self, kind: QueryKind, queries: Sequence[Query]) -> list[Any]:
        before, misses = replace(self.answers.model.cost), self.misses
        answers = super()._ask(kind, queries)
        share = (self.answers.model.cost - before).share(max(1, self.misses - misses))
        for query in queries:
            known = self._costs.setdefault(id(query.patch.image), {})
            key = self._key(kind, query)
            if key in known:
                self.answers.charge_again(known[key])
            else:
                known[key] = share
        return answers

    def forget(self, image: Image) -> None:
        super().forget(image)
        self._costs.pop(id(image), None)
