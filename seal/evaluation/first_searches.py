"""A locator that searches once for what a system and its controls look for alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from PIL.Image import Image

from seal.evaluation.first_answers import FirstAnswers
from seal.inference.answers.protocol import Cost
from seal.search.locator import LocateRequest, Locator
from seal.search.result import SearchResult


@dataclass(slots=True)
class _Found:
    """A search, and what it cost the answer model."""

    image: Image  # kept alive, so that its identity, the key, is not used again
    result: SearchResult
    owed: Cost  # by whom it was asked for
    shared: Cost  # of what is nobody's: an equal part


class FirstSearches:
    """A `Locator` that searches once for what a system and its controls ask.

    Its cost is what each would have caused alone, as of `FirstAnswers`.
    """

    def __init__(self, locator: Locator, answers: FirstAnswers) -> None:
        """`answers`: what is charged again where the search asks the answer model."""
        self.locator, self.answers = locator, answers
        self.by_question: bool = getattr(locator, "by_question", False)
        self._found: dict[tuple[int, str, str, int], _Found] = {}

    def locate(self, requests: Sequence[LocateRequest]) -> list[SearchResult]:
        keys = [(id(r.image), r.target, r.question, r.num_targets) for r in requests]
        new = [i for i, key in enumerate(keys) if key not in self._found]
        by_owner = self.answers.account.by_owner
        before = self.answers.cost
        had = {owner: replace(cost) for owner, cost in by_owner.items()}
        results = dict(zip(new, self.locator.locate([requests[i] for i in new]), strict=True))
        owed = {
            owner: cost - had.get(owner, Cost())
            for owner, cost in by_owner.items()
            if owner in {requests[i].asked_for for i in new}
        }
        rest = self.answers.cost - before - sum(owed.values(), Cost())
        share = rest.share(max(1, len(new)))
        for i, result in results.items():
            # The first of an owner's requests stands for all of them, which are asked together.
            cost = owed.pop(requests[i].asked_for, Cost())
            # Of two alike the first is charged, so it is the one that is kept.
            self._found.setdefault(keys[i], _Found(requests[i].image, result, cost, share))
        for i, key in enumerate(keys):
            if i not in results:
                known = self._found[key]
                self.answers.account.charge(requests[i], known.owed)
                self.answers.charge_again(known.shared)
                results[i] = known.result
        return [results[i] for i in range(len(requests))]

    def forget(self, image: Image) -> None:
        """Drop what was found in an image."""
        for key in [key for key, found in self._found.items() if found.image is image]:
            del self._found[key]
        forget = getattr(self.locator, "forget", None)
        if forget is not None:
            forget(image)
