"""A locator that searches once for what a system and its controls look for alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from PIL.Image import Image

from seal.evaluation.first_answers import FirstAnswers, Remembered
from seal.inference.answers.protocol import Cost
from seal.search.locator import LocateRequest, Locator
from seal.search.result import SearchResult


class FirstSearches:
    """A `Locator` that searches once for what a system and its controls ask.

    Its cost is what each would have caused alone, as of `FirstAnswers`.
    """

    def __init__(self, locator: Locator, answers: FirstAnswers) -> None:
        """`answers`: what is charged again where the search asks the answer model."""
        self.locator, self.answers = locator, answers
        self.by_question: bool = getattr(locator, "by_question", False)
        self._found: dict[tuple[int, str, str, int], Remembered[SearchResult]] = {}

    def locate(self, requests: Sequence[LocateRequest]) -> list[SearchResult]:
        keys = [(id(r.image), r.target, r.question, r.num_targets) for r in requests]
        new = [i for i, key in enumerate(keys) if key not in self._found]
        before = replace(self.answers.model.cost)
        results = dict(zip(new, self.locator.locate([requests[i] for i in new]), strict=True))
        share = (self.answers.model.cost - before).share(len(new)) if new else Cost()
        for i, result in results.items():
            # Of two alike the first is charged, so it is the one that is kept.
            self._found.setdefault(keys[i], Remembered(requests[i].image, result, share))
        for i, key in enumerate(keys):
            if i not in results:
                self.answers.charge_again(self._found[key].cost)
                results[i] = self._found[key].answer
        return [results[i] for i in range(len(requests))]

    def forget(self, image: Image) -> None:
        """Drop what was found in an image."""
        for key in [key for key, found in self._found.items() if found.image is image]:
            del self._found[key]
        forget = getattr(self.locator, "forget", None)
        if forget is not None:
            forget(image)
