"""Vision-language models that print boxes, as a guide: what they are asked, and where that lies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL.Image import Image

from seal.geometry import Box
from seal.inference.answers.protocol import AnswerModel
from seal.inference.guides.asking import Asking
from seal.inference.guides.box_heat import box_heat
from seal.inference.guides.given_picture import default_form, given_size
from seal.inference.guides.printed_forms import printed_form
from seal.inference.guides.vlm_yes_no import YesNoGuide
from seal.search.config import SearchConfig
from seal.search.protocol import Cue, Detections, Heat, Patch, Query, QueryKind
from seal.text.printed_boxes import Frame, PrintedBox, boxes_of, parse_boxes
from seal.working_memory import VisualWorkingMemory

SCORES = ("existence", "fixed")
_PREPARED = 16  # prompts at a time
_LEAST = 64  # pixels along a side of what is shown around a box
_AROUND = 1.5  # times the box


class PrintedBoxes:
    """A `SearchModel` on an `AnswerModel` that was taught to print boxes.

    `detect` and `cue_heatmap` are one generated answer each, up to `max_new_tokens`. A printed box
    has no score of its own: by default it is P(Yes) that the target can be seen in the box and what
    surrounds it, one short call a box more; models that print boxes print them for what is not
    there as well. The heat, which comes with the detections, is the boxes themselves.
    """

    name = "vlm_boxes"
    kinds: frozenset[QueryKind] = frozenset(
        {"detect", "contextual_cue", "cue_heatmap", "target_heat"}
    )

    def __init__(
        self,
        answer_model: AnswerModel,
        *,
        form: str | None = None,
        coordinates: str | None = None,
        order: str | None = None,
        scores: str = "existence",
        fixed_score: float = 0.75,
        max_boxes: int = 8,
        max_new_tokens: int = 256,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        """`form`: one of `printed_forms.FORMS`; None: the family's, plain JSON where none is known.

        Args:
            coordinates, order: what the numbers of form=json mean; the model is told.
            scores: "existence", or "fixed": `fixed_score` for every box.
            max_boxes: of one answer; more are not looked at.
            tell: as of `YesNoGuide`, which gives the scores.

        Raises:
            ValueError: there is no such setting.
        """
        self.form = default_form(answer_model) if form is None else form
        self._form = printed_form(self.form, coordinates, order)
        if scores not in SCORES:
            raise ValueError(f"scores={scores!r} is none of {', '.join(SCORES)}")
        if not 0 <= fixed_score <= 1:
            raise ValueError(f"fixed_score={fixed_score} is not in [0, 1]")
        if max_boxes < 1 or max_new_tokens < 1:
            raise ValueError(
                f"max_boxes={max_boxes} and max_new_tokens={max_new_tokens}: at least 1 of each"
            )
        self.scores, self.fixed_score = scores, fixed_score
        self.max_boxes, self.max_new_tokens = max_boxes, max_new_tokens
        self._asking = Asking(answer_model)
        self.cost = self._asking.cost
        self._judge = YesNoGuide(answer_model, tell=tell)

    def detect(self, queries: Sequence[Query]) -> list[Detections]:
        """The printed boxes, in their order, and their heat.

        Raises:
            ValueError: scores="existence" and the model tells the probability of neither Yes nor
                No, or the model cannot be asked.
        """
        with self._asking.counting("detect", queries):
            printed = self._printed(queries)
            scores = self._scores(queries, printed)
        found = []
        for query, boxes, sure in zip(queries, printed, scores, strict=True):
            edges = [[box.x0, box.y0, box.x1, box.y1] for box in boxes]
            found.append(
                Detections(
                    np.array(edges, np.float32).reshape(-1, 4),
                    np.array(sure, np.float32),
                    box_heat(boxes, sure, *query.patch.size),
                )
            )
        return found

    def contextual_cue(self, queries: Sequence[Query]) -> list[Cue]:
        with self._asking.counting("contextual_cue", queries):
            return self._asking.cues(queries)

    def cue_heatmap(self, queries: Sequence[Query]) -> list[Heat]:
        """The boxes that are printed for the phrase, each as hot as any other."""
        with self._asking.counting("cue_heatmap", queries):
            printed = self._printed(queries)
        return [
            box_heat(boxes, [1.0] * len(boxes), *query.patch.size)
            for query, boxes in zip(queries, printed, strict=True)
        ]

    def search_config(self) -> SearchConfig:
        """A heat is a score here: whatever was printed guides, unless it surely is not there."""
        return SearchConfig(cue_threshold=0.1, cue_threshold_decay=1.0, cue_threshold_min=0.1)

    def settings(self) -> dict[str, Any]:
        """What belongs beside every result of this guide."""
        return {
            "form": self.form,
            "coordinates": self._form.coordinates,
            "order": self._form.order,
            "scores": self.scores,
            "fixed_score": self.fixed_score if self.scores == "fixed" else None,
            "max_boxes": self.max_boxes,
            "max_new_tokens": self.max_new_tokens,
            "model": self._asking.answer_model.settings(),
        }

    def forget(self, image: Image) -> None:
        """Drop what is known about an image."""
        self._asking.forget(image)
        self._judge.forget(image)

    def _printed(self, queries: Sequence[Query]) -> list[list[Box]]:
        """What is printed for the text of each query, in pixels of its patch."""
        found = []
        # The size of a picture is read off its prepared prompt, of which a model keeps a few.
        step = _PREPARED if self._form.coordinates == "pixels" else max(len(queries), 1)
        for start in range(0, len(queries), step):
            part = queries[start : start + step]
            memories, frames = zip(*map(self._asked, part), strict=True)
            said = self._asking.answer_model.generate(memories, max_new_tokens=self.max_new_tokens)
            for query, frame, each in zip(part, frames, said, strict=True):
                printed = boxes_of(parse_boxes(each.text), query.text)
                boxes = [self._in_patch(box, frame, query.patch) for box in printed]
                found.append([box for box in boxes if box is not None][: self.max_boxes])
        return found

    def _asked(self, query: Query) -> tuple[VisualWorkingMemory, Frame]:
        """The question, and what the numbers of its answer mean."""
        view = self._asking.view(query.patch)
        size = round(view.width), round(view.height)
        memory = self._asking.memory(query.patch, self._form.ask(query.text, size))
        if self._form.coordinates == "pixels":
            given = given_size(self._asking.answer_model, memory, self.form) or size
            if given != size:
                size = given
                # Only a form that tells the size asks something else now.
                memory = self._asking.memory(query.patch, self._form.ask(query.text, size))
        return memory, self._form.frame(size)

    def _in_patch(self, printed: PrintedBox, frame: Frame, patch: Patch) -> Box | None:
        """In pixels of the patch, cut at its border; None: nothing of it lies inside."""
        view = self._asking.view(patch)
        box = frame.to_pixels(printed, view.width, view.height)
        if box is None:
            return None
        width, height = patch.size
        x0, x1 = (min(max(x + view.x0, 0.0), width) for x in (box.x0, box.x1))
        y0, y1 = (min(max(y + view.y0, 0.0), height) for y in (box.y0, box.y1))
        return Box(x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None

    def _scores(
        self, queries: Sequence[Query], printed: Sequence[Sequence[Box]]
    ) -> list[list[float]]:
        if self.scores == "fixed":
            return [[self.fixed_score] * len(boxes) for boxes in printed]
        asked = [
            Query("existing", Patch(query.patch.image, _around(query.patch, box)), query.text)
            for query, boxes in zip(queries, printed, strict=True)
            for box in boxes
        ]
        sure = iter(self._judge.existing(asked) if asked else [])
        return [[next(sure) for _ in boxes] for boxes in printed]


def _around(patch: Patch, box: Box) -> Box:
    """A box of a patch and what surrounds it, in whole pixels of the image, cut at its border."""
    edges = []
    for low, high, corner, limit in (
        (box.x0, box.x1, patch.box.x0, patch.image.width),
        (box.y0, box.y1, patch.box.y0, patch.image.height),
    ):
        side, middle = max(_AROUND * (high - low), _LEAST), corner + (low + high) / 2
        first = max(0, min(int(middle - side / 2), limit - 1))
        edges.append((first, max(first + 1, min(int(middle + side / 2), limit))))
    (x0, x1), (y0, y1) = edges
    return Box(x0, y0, x1, y1)
