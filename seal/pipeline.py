"""Show, search and tell: answer, or name what is missing, find it, and answer again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL.Image import Image

from seal.geometry import Box
from seal.images import context_box, open_image, to_rgb
from seal.inference.hub import model_folder
from seal.inference.locators import build_locator, check_search
from seal.inference.protocol import AnswerModel
from seal.memory import MemoryTarget, VisualWorkingMemory
from seal.search.config import SearchConfig
from seal.search.oracle import Known
from seal.search.protocol import Locator
from seal.search.result import SearchResult
from seal.search.strategies import STRATEGIES
from seal.search.trace import to_dict
from seal.text.prompts import parse_missing

if TYPE_CHECKING:
    import torch

ON_NOT_FOUND = ("say_so", "use_best_box")
PROTOCOLS = ("default", "as_released")
MAX_ANSWER_TOKENS = 200


@dataclass(kw_only=True, slots=True)
class ProtocolConfig:
    """The inference side of the named bundles of the original's quirks (`protocol=`)."""

    name: str = "default"
    on_not_found: str = "say_so"  # use_best_box: a failed search hands over its best guess (21)
    no_search_image: str = "padded"  # as_released: options without a search see a center crop (22)
    token_policy: str | None = None  # which projector serves what (3); None: as the model says
    nms_iou: float | None = None  # drop overlapping instances on the whole image (23); None: keep

    def __post_init__(self) -> None:
        if self.on_not_found not in ON_NOT_FOUND:
            raise ValueError(
                f"on_not_found={self.on_not_found!r}; known: {', '.join(ON_NOT_FOUND)}"
            )

    @classmethod
    def named(cls, name: str) -> ProtocolConfig:
        """`default`, what we believe in, or `as_released`, what reproduces the paper's numbers."""
        if name == "default":
            return cls()
        if name == "as_released":
            return cls(
                name=name,
                on_not_found="use_best_box",
                no_search_image="as_released",
                token_policy="paper_inference",
            )
        raise ValueError(f"protocol={name!r}; known: {', '.join(PROTOCOLS)}")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about an image; `image=None` asks about text alone."""

    image: Image | None
    text: str
    options: tuple[str, ...] = ()
    targets: tuple[str, ...] | None = None  # to search for; None: what the first answer lacks
    final_text: str | None = None  # how it is put after the search, if otherwise

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise ValueError("the question is empty: say what you want to know about the image")
        if len(set(self.options)) != len(self.options):
            raise ValueError(f"an option appears twice: {list(self.options)}")
        if any(not option.strip() for option in self.options):
            raise ValueError(f"an option is empty: {list(self.options)}")
        if self.targets and self.image is None:
            raise ValueError(f"there is no image to search for {', '.join(self.targets)}")


@dataclass(slots=True)
class Answer:
    """What came out, and how."""

    text: str  # the chosen option, or free text
    first_text: str  # what the model said before any search; "" if it was not asked
    option: int | None = None  # index of the chosen option; None: free-form, or a tie
    losses: list[float] = field(default_factory=list)  # of each option, lower is likelier
    missing: list[str] = field(default_factory=list)  # what was searched for, or should have been
    memory: VisualWorkingMemory | None = None  # what the final answer was given
    searches: list[SearchResult] = field(default_factory=list)  # one per missing target
    left_out: int = 0  # instances that were found but not shown: the VQA LLM's context was full
    cost: dict[str, Any] = field(default_factory=dict)  # visits, model calls, seconds

    @property
    def not_found(self) -> list[str]:
        """Targets that were searched for in vain."""
        return [result.target for result in self.searches if not result.found]

    def to_dict(self, *, heat_cells: int = 0) -> dict[str, Any]:
        """JSON-able, with the trace of every search."""
        targets = self.memory.targets if self.memory is not None else ()
        return {
            "text": self.text,
            "first_text": self.first_text,
            "option": self.option,
            "losses": self.losses,
            "missing": self.missing,
            "not_found": self.not_found,
            "left_out": self.left_out,
            "memory": [
                {"name": t.name, "boxes": [[b.x0, b.y0, b.x1, b.y1] for b in t.boxes]}
                for t in targets
            ],
            "searches": [to_dict(result, heat_cells=heat_cells) for result in self.searches],
            "cost": self.cost,
        }


class Seal:
    """The VQA LLM and something that locates targets; `ask` is one question, `ask_many` many."""

    def __init__(
        self,
        answer_model: AnswerModel | None,
        locator: Locator | None,
        *,
        protocol: ProtocolConfig | None = None,
        keep_images: bool = False,
    ) -> None:
        """`locator=None`: never search. `answer_model=None`: only `locate`.

        `keep_images`: the models remember images until whoever shares them among several `Seal`s
        says to forget.
        """
        self.answer_model = answer_model
        self.locator = locator
        self.protocol = protocol or ProtocolConfig()
        self.keep_images = keep_images

    @classmethod
    def from_pretrained(
        cls,
        vqa: str | Path | None,
        vsm: str | Path | None,
        *,
        search: str = "guided",
        quantization: str | None = None,
        dtype: torch.dtype | None = None,
        device: str | None = None,
        protocol: str | ProtocolConfig = "default",
        search_config: SearchConfig | None = None,
        known: Known | None = None,
        offload: int | str = 0,
        clip: str | Path | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> Seal:
        """Load both models from folders or hub ids, in our layout or as the authors released them.

        Args:
            vqa: the VQA LLM; None leaves only `locate`.
            vsm: the search model; None needs a search that uses none.
            search: a strategy, "none" (answer from the whole image alone) or "oracle".
            quantization: "int8" or "nf4".
            dtype: None is the files' own, float32 on a CPU.
            search_config: None is the published one, at the sizes the search model was made for.
            known: the true boxes, for search="oracle".
            offload: blocks of each language model that stay in host memory and visit the GPU in
                turn; "auto": as many as it takes. The last resort: slow.
            clip: folder or hub id of CLIP, for a search model as released, which holds no tower;
                None: the VQA LLM's tower, or the hub's CLIP ViT-L/14.
            tell: is told what memory it will take, before loading; None: the log.

        Raises:
            ValueError: an unknown strategy or protocol, a folder that is no model folder, or a
                model that does not fit the device.
        """
        if isinstance(protocol, str):
            protocol = ProtocolConfig.named(protocol)
        check_search(search)
        from seal.inference.load import load_models

        searches = search in STRATEGIES
        if searches and vsm is None:
            raise ValueError(f"search={search} needs a search model: give vsm=FOLDER")
        locator = None if searches else build_locator(search, None, known=known)
        answers, search_model = load_models(
            None if vqa is None else model_folder(vqa),
            model_folder(vsm) if searches and vsm is not None else None,
            device=device,
            dtype=dtype,
            quantization=quantization,
            offload=offload,
            clip=clip,
            no_search_image=protocol.no_search_image,
            token_policy=protocol.token_policy,
            tell=tell,
        )
        if search_model is not None:
            search_config = search_config or search_model.search_config()
            locator = build_locator(search, search_model, search_config, nms_iou=protocol.nms_iou)
        return cls(answers, locator, protocol=protocol)

    def ask(
        self,
        image: str | Path | Image | None,
        question: str,
        options: Sequence[str] | None = None,
        targets: Sequence[str] | None = None,
    ) -> Answer:
        """Answer one question; with `options`, choose the likeliest.

        `targets` are searched for whatever the first answer would be.
        """
        chosen = None if targets is None else tuple(targets)
        opened = open_image(image) if isinstance(image, str | Path) else image
        asked = Question(opened, question, tuple(options or ()), chosen)
        return self.ask_many([asked])[0]

    def locate(self, image: str | Path | Image, target: str) -> SearchResult:
        """Search one image for `target`, any phrase."""
        opened = open_image(image) if isinstance(image, str | Path) else image
        return self.locate_many([(opened, target)])[0]

    def locate_many(self, requests: Sequence[tuple[Image, str]]) -> list[SearchResult]:
        """Search each image for its target; the searches advance side by side."""
        if any(not target.strip() for _, target in requests):
            raise ValueError("the target is empty: say what to look for")
        if self.locator is None:
            raise ValueError("this Seal does not search: load it with vsm=FOLDER and a search")
        checked = [(_checked(image), target) for image, target in requests]
        try:
            return self.locator.locate(checked)
        finally:
            self._forget([image for image, _ in checked])

    def ask_many(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer many questions; their searches advance side by side."""
        if self.answer_model is None:
            raise ValueError("this Seal has no VQA LLM: load it with vqa=FOLDER")
        started = time.perf_counter()
        questions = [
            question
            if question.image is None
            else replace(question, image=_checked(question.image))
            for question in questions
        ]
        try:
            return self._ask_many(questions, started)
        finally:
            self._forget([question.image for question in questions])

    def _forget(self, images: Sequence[Image | None]) -> None:
        """What is known goes by the object: its pixels may change, and memory is not endless."""
        if self.keep_images:
            return
        for image in images:
            # Only networks and caches keep anything.
            for holder in (self.answer_model, self.locator):
                forget = getattr(holder, "forget", None)
                if image is not None and forget is not None:
                    forget(image)

    def _ask_many(self, questions: Sequence[Question], started: float) -> list[Answer]:
        plain = [VisualWorkingMemory(question.text, question.image) for question in questions]
        answers = [Answer("", "", memory=memory) for memory in plain]
        self._show(questions, answers)
        shown = time.perf_counter()
        self._search(questions, answers)
        searched = time.perf_counter()
        self._tell(questions, answers)
        told = time.perf_counter()
        for answer in answers:
            answer.cost = _cost(answer.searches)
            # Questions share every pass, so each is charged its part of the whole.
            answer.cost["seconds"] = {
                name: round(seconds / len(answers), 6)
                for name, seconds in (
                    ("show", shown - started),
                    ("search", searched - shown),
                    ("tell", told - searched),
                )
            }
        return answers

    def _show(self, questions: Sequence[Question], answers: list[Answer]) -> None:
        """First answers, where they decide something: what to search for, or the free text."""
        assert self.answer_model is not None
        asked = []
        for i, question in enumerate(questions):
            if question.targets is not None:
                answers[i].missing = list(dict.fromkeys(question.targets))
                continue
            searchable = self.locator is not None and question.image is not None
            if searchable or (not question.options and question.final_text is None):
                asked.append(i)
        first = self.answer_model.generate(
            [_memory(answers[i]) for i in asked], max_new_tokens=MAX_ANSWER_TOKENS
        )
        for i, said in zip(asked, first, strict=True):
            answers[i].first_text = said.text
            answers[i].missing = list(dict.fromkeys(parse_missing(said.text) or []))

    def _search(self, questions: Sequence[Question], answers: list[Answer]) -> None:
        """Fill the memory with what was missing."""
        if self.locator is None:
            return
        owners: list[int] = []
        requests: list[tuple[Image, str]] = []
        for i, question in enumerate(questions):
            if question.image is not None:
                owners += [i] * len(answers[i].missing)
                requests += [(question.image, name) for name in answers[i].missing]
        for i, result in zip(owners, self.locator.locate(requests), strict=True):
            answers[i].searches.append(result)
        for i in dict.fromkeys(owners):
            targets = tuple(self._target(result) for result in answers[i].searches)
            answers[i].memory = VisualWorkingMemory(questions[i].text, questions[i].image, targets)

    def _target(self, result: SearchResult) -> MemoryTarget:
        boxes = result.boxes
        use_best = self.protocol.on_not_found == "use_best_box"
        if not result.found and use_best and result.best_box is not None:
            boxes = [result.best_box]
        return MemoryTarget(
            result.target, tuple(_croppable(box, *result.image_size) for box in boxes)
        )

    def _tell(self, questions: Sequence[Question], answers: list[Answer]) -> None:
        """Final answers: the likeliest option, or free text."""
        assert self.answer_model is not None
        for question, answer in zip(questions, answers, strict=True):
            if question.final_text is not None:
                memory = _memory(answer)
                answer.memory = VisualWorkingMemory(
                    question.final_text, memory.image, memory.targets
                )
            self._leave_out(question, answer)
        choosing = [i for i, question in enumerate(questions) if question.options]
        scored = self.answer_model.loglikelihood(
            [(_memory(answers[i]), questions[i].options) for i in choosing]
        )
        for i, losses in zip(choosing, scored, strict=True):
            _choose(answers[i], questions[i].options, losses)
        # What the first answer said stands if nothing came to it since.
        speaking = []
        for i, question in enumerate(questions):
            if question.options:
                continue
            same = question.final_text is None and not _memory(answers[i]).targets
            if same and answers[i].first_text:
                answers[i].text = answers[i].first_text
            else:
                speaking.append(i)
        said = self.answer_model.generate(
            [_memory(answers[i]) for i in speaking], max_new_tokens=MAX_ANSWER_TOKENS
        )
        for i, generation in zip(speaking, said, strict=True):
            answers[i].text = generation.text

    def _leave_out(self, question: Question, answer: Answer) -> None:
        """Show only the surest instances if all of them are more than the VQA LLM can read.

        One of each target stays: none would say that it is not there.
        """
        assert self.answer_model is not None
        shown = [list(target.boxes) for target in _memory(answer).targets]
        scores = [list(result.scores) for result in answer.searches]
        while any(len(boxes) > 1 for boxes in shown) and not self.answer_model.fits(
            _memory(answer), question.options, max_new_tokens=MAX_ANSWER_TOKENS
        ):
            _, i, j = min(
                (score, i, -j)  # the later one, among equals
                for i, of in enumerate(scores)
                if len(shown[i]) > 1
                for j, score in enumerate(of)
            )
            del shown[i][-j], scores[i][-j]
            answer.left_out += 1
            targets = tuple(
                replace(target, boxes=tuple(boxes))
                for target, boxes in zip(_memory(answer).targets, shown, strict=True)
            )
            answer.memory = replace(_memory(answer), targets=targets)


def _checked(image: Image) -> Image:
    """Loaded RGB, or an error that says what is wrong."""
    if min(image.size) < 1:
        raise ValueError(f"the image is empty: {image.width} x {image.height} pixels")
    try:
        image.load()  # a file opened lazily would be read, or found damaged, deep inside
    except OSError as error:
        raise ValueError(f"the image is damaged and cannot be decoded: {error}") from error
    # The same object if it can be: what is known about an image goes by its identity.
    return image if image.mode == "RGB" else to_rgb(image)


def _memory(answer: Answer) -> VisualWorkingMemory:
    assert answer.memory is not None
    return answer.memory


def _choose(answer: Answer, options: Sequence[str], losses: list[float]) -> None:
    """The lowest loss wins; a tie is told, never resolved by position."""
    answer.losses = losses
    best = [i for i, loss in enumerate(losses) if loss == min(losses)]
    answer.option = best[0] if len(best) == 1 else None
    tied = "undecided: " if len(best) != 1 else ""
    answer.text = tied + " | ".join(options[i] for i in best)


def _croppable(box: Box, width: int, height: int) -> Box:
    """The box itself, unless it lies so far at the border that no pixel would be cropped."""
    left, top, right, bottom = context_box(box, width, height)
    if right > left and bottom > top:
        return box
    x0 = min(max(box.x0, 0.0), width - 1.0)
    y0 = min(max(box.y0, 0.0), height - 1.0)
    return Box(x0, y0, min(max(box.x1, x0 + 1), width), min(max(box.y1, y0 + 1), height))


def _cost(results: Sequence[SearchResult]) -> dict[str, Any]:
    calls: Counter[str] = Counter()
    for result in results:
        calls.update(result.calls)
    return {"visits": sum(len(result.path) for result in results), "calls": dict(calls)}
