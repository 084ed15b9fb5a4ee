"""The boxes annotated for each question at hand, and a locator that hands them out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from PIL.Image import Image

from seal.evaluation.task import AnnotatedTarget, merged
from seal.geometry import Box
from seal.pipeline import Question
from seal.search.locator import LocateRequest
from seal.search.oracle import OracleLocator
from seal.search.result import SearchResult


class AskedBoxes:
    """Annotated boxes by the image and the text of a question.

    What else is asked about an image in the same batch adds nothing to them: no answer may depend
    on that.
    """

    def __init__(self) -> None:
        self._boxes: dict[tuple[int, str], dict[str, tuple[Box, ...]]] = {}

    def tell(self, image: Image, text: str, targets: Iterable[AnnotatedTarget]) -> None:
        """What a question is about; phrasings of one text add to each other."""
        known = self._boxes.setdefault((id(image), text), {})
        for target in targets:
            known[target.name] = merged(known.get(target.name, ()), target.boxes)

    def of(self, question: Question) -> Sequence[Box]:
        """All of a question's boxes, in pixels, whatever they are called."""
        known = self._boxes.get((id(question.image), question.text), {})
        return [box for boxes in known.values() for box in boxes]

    def named(self, text: str, image: Image, name: str) -> Sequence[Box]:
        """The boxes of one target of the question `text`."""
        return self._boxes.get((id(image), text), {}).get(name, ())

    def forget(self) -> None:
        """Drop everything."""
        self._boxes.clear()


class AskedOracle:
    """A `Locator` that is given a question's annotated boxes: the perfect search of a benchmark."""

    def __init__(self, known: AskedBoxes) -> None:
        self.known = known

    def locate(self, requests: Sequence[LocateRequest]) -> list[SearchResult]:
        results = []
        for request in requests:
            oracle = OracleLocator(partial(self.known.named, request.question))
            results += oracle.locate([request])
        return results
