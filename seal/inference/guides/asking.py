"""What guides that ask an answer model share: what is shown, in which words, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from PIL.Image import Image

from seal.geometry import Box
from seal.inference.answers.protocol import AnswerModel, Cost
from seal.inference.guides.patch_pictures import PatchPictures
from seal.search.protocol import Cue, Patch, Query, QueryKind
from seal.text.phrases import MARKER, extract_phrase, location_text
from seal.text.prompts import cue_prefix, cue_question, without_article
from seal.text.thinking import without_thinking
from seal.working_memory import MemoryTarget, VisualWorkingMemory

if TYPE_CHECKING:
    from seal.inference.guides.given_picture import Seen

SHOWN = ("patch", "both")  # a patch by itself, or the whole image and the patch
MAX_CUE_TOKENS = 64


@dataclass(slots=True)
class AskedCost:
    """What a guide has done so far."""

    queries: dict[str, int] = field(default_factory=dict)  # by kind
    asked: Cost = field(default_factory=Cost)  # of the answer model, for this guide alone


class Asking:
    """An answer model, asked about patches on behalf of a guide."""

    def __init__(self, answer_model: AnswerModel, show: str = "patch") -> None:
        if show not in SHOWN:
            raise ValueError(f"show={show!r} is none of {', '.join(SHOWN)}")
        self.answer_model = answer_model
        self.show = show
        self.cost = AskedCost()
        self._pictures = PatchPictures()

    @contextmanager
    def counting(self, kind: QueryKind, queries: Sequence[Query]) -> Iterator[None]:
        """What is asked meanwhile is asked for these queries."""
        self.cost.queries[kind] = self.cost.queries.get(kind, 0) + len(queries)
        before = replace(self.answer_model.cost)
        try:
            yield
        finally:
            self.cost.asked += self.answer_model.cost - before

    def memory(self, patch: Patch, question: str) -> VisualWorkingMemory:
        """The question beside what is shown of a patch."""
        whole = patch.box.as_ints() == (0, 0, *patch.image.size)
        if self.show == "both" and not whole:
            part = MemoryTarget("", (patch.box,))
            only = "Look only at the closer view of a part of the picture."
            return VisualWorkingMemory(f"{only} {question}", patch.image, (part,))
        pad = self._seen(patch).pad
        return VisualWorkingMemory(question, self._pictures.get(patch, square=pad))

    def picture(self, patch: Patch) -> Image:
        """The patch as it is."""
        return self._pictures.get(patch)

    def view(self, patch: Patch) -> Box:
        """What the model sees of a patch that is shown by itself, in pixels of the patch; over its
        border where it is padded."""
        return self._seen(patch).view

    def cues(self, queries: Sequence[Query]) -> list[Cue]:
        """Where the model says each target most likely is, one generated sentence a query.

        A target stands for its own place where nothing is said.
        """
        asked = [self.memory(query.patch, _where(query.text)) for query in queries]
        said = self.answer_model.generate(asked, max_new_tokens=MAX_CUE_TOKENS)
        cues = []
        for query, each in zip(queries, said, strict=True):
            target = without_article(query.text)
            answer = _first_sentence(without_thinking(each.text))
            phrase, extractor = extract_phrase(answer, target)
            if not location_text(answer, target).strip():
                phrase = target
            cues.append(Cue(answer, phrase, extractor))
        return cues

    def _seen(self, patch: Patch) -> Seen:
        # Loads the network libraries, which a guide's configuration must not.
        from seal.inference.guides.given_picture import seen_part

        return seen_part(self.answer_model, *patch.size)

    def forget(self, image: Image) -> None:
        """Drop what is known about an image, here and in the answer model."""
        dropped = self._pictures.forget(image)
        forget = getattr(self.answer_model, "forget", None)
        if forget is not None:
            for picture in (image, *dropped):
                forget(picture)


def with_article(target: str) -> str:
    """`target` with "a" or "an" instead of the article it may have, for a question."""
    name = without_article(target).strip()
    return f"an {name}" if name[:1].lower() in "aeiou" and name else f"a {name}"


def _where(target: str) -> str:
    name = without_article(target)
    return f'{cue_question(name)} Answer in one sentence that begins with "{cue_prefix(name)}".'


def _first_sentence(text: str) -> str:
    """Up to the first period or line behind the marker: models go on and give reasons."""
    before, marker, behind = text.partition(MARKER)
    if not marker:
        before, behind = "", text
    line = behind.strip().partition("\n")[0]
    head, period, _ = line.partition(". ")
    return " ".join(f"{before}{marker} {head}{period}".split())
