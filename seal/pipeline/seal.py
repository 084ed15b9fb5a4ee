"""`Seal`: both models behind one door; questions and targets go in, answers and boxes come out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL.Image import Image

from seal.inference.answers.protocol import AnswerModel
from seal.inference.answers.showing import read_granularity
from seal.inference.build_locator import build_locator, check_guide, check_search
from seal.inference.guides.config import GuideConfig
from seal.pipeline.answer import Answer
from seal.pipeline.events import OnEvent
from seal.pipeline.locating import check_pair, locate_as_they_end
from seal.pipeline.notes import notes_on
from seal.pipeline.pictures import Picture, picture
from seal.pipeline.planner import PlannerConfig, default_planner
from seal.pipeline.protocol import ProtocolConfig
from seal.pipeline.question import Question
from seal.pipeline.stages import Control, ShowSearchTell
from seal.pipeline.telling import Telling
from seal.pipeline.windows import open_all, question_windows, without_opened
from seal.search.budget import BudgetConfig
from seal.search.config import SearchConfig
from seal.search.driver import SearchLocator
from seal.search.locator import LocateRequest, Locator
from seal.search.oracle import Known
from seal.search.result import SearchResult
from seal.search.shared_locator import SharedTreeLocator
from seal.search.speed import SpeedConfig
from seal.search.strategies import STRATEGIES, VICROP
from seal.text.quote import quoted
from seal.text.targets import check_target

if TYPE_CHECKING:
    import torch

    from seal.inference.answers.chat_options import ChatOptions
    from seal.inference.guides.seal_vsm import NetworkSearchModel
    from seal.inference.vicrop.config import ViCropConfig
    from seal.pipeline.ask_queue import AskQueue


class Seal:
    """The VQA LLM and something that locates targets; `ask` is one question, `ask_many` many."""

    def __init__(
        self,
        answer_model: AnswerModel | None,
        locator: Locator | None,
        *,
        protocol: ProtocolConfig | None = None,
        planner: str | PlannerConfig | None = None,
        keep_images: bool = False,
        control: Control | None = None,
        drawn_only: bool = False,
    ) -> None:
        """`locator=None`: never search. `answer_model=None`: only `locate`.

        `planner`: who says what to look for; None: what suits the answer model and the locator.
        `keep_images`: the models remember images until whoever shares them among several `Seal`s
        says to forget. `control`: what is shown in place of what the search brought back; for
        evaluations that ask whether an answer comes from looking. `drawn_only`: a model knows the
        miniature's drawn world alone, which `notes` say of other pictures.
        """
        self.answer_model = answer_model
        self.locator = locator
        self.protocol = protocol or ProtocolConfig()
        self.planner = planner_for(planner, answer_model, locator)
        # Built once: a planner learns what its model does not tell, and need not ask again.
        self._planner = None if answer_model is None else self.planner.build(answer_model)
        self.keep_images = keep_images
        self.control = control
        self.drawn_only = drawn_only

    @classmethod
    def from_pretrained(
        cls,
        vqa: str | Path | None,
        vsm: str | Path | None = None,
        *,
        search: str = "guided",
        guide: str | GuideConfig | None = None,
        quantization: str | None = None,
        dtype: torch.dtype | None = None,
        device: str | None = None,
        protocol: str | ProtocolConfig = "default",
        search_config: SearchConfig | None = None,
        budget: BudgetConfig | None = None,
        speed: SpeedConfig | None = None,
        known: Known | None = None,
        offload: int | str = 0,
        clip: str | Path | None = None,
        planner: str | PlannerConfig | None = None,
        chat: ChatOptions | None = None,
        granularity: str | int | None = None,
        vicrop: ViCropConfig | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> Seal:
        """Load both models from folders or hub ids, in our layout or as the authors released them.

        Args:
            vqa: what answers: SEAL's VQA LLM, any image-text model that transformers knows, or the
                address of an OpenAI-compatible server, http://HOST:PORT/v1#MODEL; None leaves only
                `locate`.
            vsm: SEAL's search model; None needs a guide without it, or a search that uses none.
            search: a strategy, "vicrop_rel_att" and its like (they read `vqa` itself), "none"
                (answer from the whole image alone) or "oracle".
            guide: what a strategy asks: a name ("owlv2"), parts ("detect=owlv2,cue=seal"), or a
                `GuideConfig`, which also names the models; None: SEAL's search model.
            quantization: "int8" or "nf4".
            dtype: None is the files' own, float32 on a CPU.
            search_config: None is the published one, at the sizes the search model was made for.
            budget: of each search by a strategy (`BudgetConfig` from seal.search.budget); None:
                that of `search_config`, which sets none.
            speed: how hard searches drive their model, and its batches and memory (`SpeedConfig`
                from seal.search.speed); what it leaves open suits the memory that is free.
            known: the true boxes, for search="oracle".
            offload: blocks of each language model that stay in host memory and visit the GPU in
                turn; "auto": as many as it takes. The last resort: slow.
            clip: folder or hub id of CLIP, for a search model as released, which holds no tower;
                None: the VQA LLM's tower, or the hub's CLIP ViT-L/14.
            planner: who says what to search for: "seal" (the VQA LLM's refusal), "ask",
                "noun_phrases", "given", or a `PlannerConfig`; None: "seal" for SEAL's VQA LLM,
                "given" where ViCrop reads the question itself, "ask" for every other.
            chat: of an answer model that is not SEAL's: layout, pixel budget, remote code.
            granularity: how finely an answer model with levels reads each picture: "auto" (its
                router picks one) or a level, in visual tokens of a tile; None: as it was trained.
            vicrop: the layer and the numbers of ViCrop; None: of the model's family.
            tell: is told what memory it will take, before loading; None: the log.

        Raises:
            ValueError: an unknown strategy, planner or protocol, a folder that is no model folder,
                or a model that does not fit the device.
        """
        if isinstance(protocol, str):
            protocol = ProtocolConfig.named(protocol)
        check_search(search)
        _require_kinds(
            chat=chat, vicrop=vicrop, speed=speed, budget=budget, search_config=search_config
        )
        from seal.inference.drawn_only import knows_drawn_only
        from seal.inference.hub import model_folder
        from seal.inference.named_guides import check_read, load_guide
        from seal.inference.named_models import check_shown, load_named

        searches = search in STRATEGIES
        if budget is not None and not searches:
            raise ValueError(
                f"budget= ends a search by a strategy, and search={search} makes none: drop one"
            )
        guide = guide_for(guide)
        needs_vsm = searches and "seal" in guide.names
        if needs_vsm and vsm is None and guide == GuideConfig():
            raise ValueError(
                f"search={search} needs a search model: give vsm=FOLDER, name another guide=, or "
                f"choose none or one that reads the answer model itself ({', '.join(VICROP)})"
            )
        if searches:
            check_guide(search, guide, answers=vqa is not None, config=search_config)
            guide.require_models(answers=vqa is not None, vsm=vsm is not None)
            check_read(guide, vqa)
        if search in VICROP and vqa is None:
            raise ValueError(f"search={search} reads the answer model: give vqa=")
        if search in VICROP and vqa is not None:
            from seal.inference.vicrop.readable import check_readable

            check_readable(vqa)
        if search == "oracle" and known is None:
            build_locator(search, None)  # says what it lacks, before anything is loaded
        speed = speed or SpeedConfig()
        shared: dict[str, Any] = {
            "device": device, "dtype": dtype, "quantization": quantization, "tell": tell,
            "max_batch": speed.max_batch, "cache_mb": speed.cache_mb,
        }  # fmt: skip
        answers: AnswerModel | None = None
        own: NetworkSearchModel | None = None
        if vqa is not None and granularity is not None:
            check_shown(vqa, [str(read_granularity(granularity))])
        if vqa is not None or needs_vsm:
            answers, own = load_named(
                vqa,
                vsm if needs_vsm else None,
                chat=chat,
                offload=offload,
                clip=clip,
                no_search_image=protocol.no_search_image,
                token_policy=protocol.token_policy,
                cue_prefix=protocol.cue_prefix,
                graphs=bool(speed.graphs),
                granularity=granularity,
                **shared,
            )
        if own is not None and vsm is not None:
            own.check_answer_once(model_folder(vsm), quantization=quantization, tell=tell)
        search_model = None
        if searches:
            search_model = load_guide(guide, answer_model=answers, vsm=own, **shared)
            search_config = search_config or search_model.search_config()
            if budget is not None:
                search_config = replace(search_config, budget=budget)
        locator = build_locator(
            search,
            search_model,
            search_config,
            known=known,
            answer_model=answers,
            vicrop=vicrop,
            protocol=protocol.name,
            nms_iou=protocol.nms_iou,
            speed=speed,
        )
        drawn_only = knows_drawn_only(vqa) or (needs_vsm and knows_drawn_only(vsm))
        return cls(answers, locator, protocol=protocol, planner=planner, drawn_only=drawn_only)

    def ask(
        self,
        image: Picture | None,
        question: str,
        options: Sequence[str] | None = None,
        targets: Sequence[str] | str | None = None,
        *,
        on_event: OnEvent | None = None,
    ) -> Answer:
        """Answer one question; with `options`, choose the likeliest.

        Args:
            image: a path, the bytes of an image file, a PIL image or a numpy array (height, width,
                3) of uint8; None asks about text alone.
            targets: a list, or a single one; searched for whatever the first answer would be.
            on_event: is told the plan, each region that a search leaves, and each search's end, as
                they happen (`seal.pipeline.events`); what it raises ends the question.
        """
        asked = Question(image, question, options or (), targets)
        (answer,) = self._ask_all([asked], [on_event])
        answer.require()
        for result in answer.searches:
            result.image = None if answer.memory is None else answer.memory.image
        return answer

    def locate(
        self, image: Picture, target: str, *, on_event: OnEvent | None = None
    ) -> SearchResult:
        """Search one image (see `ask`) for `target`, any phrase.

        `on_event`: is told each region that the search leaves, and its end.
        """
        check_pair((image, target))
        locator = self._require_locator()
        opened = picture(image)
        try:
            request = LocateRequest(opened, target)
            (result,) = Telling([on_event]).locate(locator, [request], [(0, 0)])
        finally:
            self._forget([opened])
        if result.failure is not None:
            raise result.failure
        result.image, result.notes = opened, self.notes_on(opened)
        return result

    def notes_on(self, image: Image | None) -> list[str]:
        """What should be known of any answer about this picture; [] where nothing should."""
        return notes_on(image, drawn_only=self.drawn_only)

    def locate_many(self, requests: Sequence[tuple[Picture, str]]) -> list[SearchResult]:
        """Search each image for its target; the searches advance side by side.

        An image that is named by its path is opened when its turn comes. A search that fails, or an
        image that turns out to be damaged, is told in its result (`error`), and the others go on.

        Raises:
            ValueError: a target or picture is none, as far as that is told before anything is
                searched: a path without a file, a file that is no image. `locate_stream`, which
                does not look ahead, tells these in their results.
        """
        requests = list(requests)
        for request in requests:
            check_pair(request)
        found = dict(self.locate_stream(requests))
        return [found[number] for number in range(len(requests))]

    def locate_stream(
        self, requests: Iterable[tuple[Picture, str]]
    ) -> Iterator[tuple[int, SearchResult]]:
        """Search each image for its target, as many side by side as memory allows.

        Yields the number of each request, from 0, and its result, as searches end: a quick one does
        not wait for a slow one. A request is taken, and its image opened, when its turn comes:
        there may be any number of them. A search that fails, or an image that cannot be read, is
        told in its result (`error`).
        """
        forget = None if self.keep_images else self._forget_one
        return locate_as_they_end(
            self._require_locator(), requests, forget=forget, notes_on=self.notes_on
        )

    def locate_all(self, image: Picture, targets: Sequence[str]) -> list[SearchResult]:
        """Search one image for several targets on one walk: each region is looked at once, for all
        that are still missing.

        Fewer visits than the targets take one by one, in another order (see `SharedTree`).

        Raises:
            ValueError: this Seal does not search by a guided strategy, or no target is given.
        """
        targets = targets if isinstance(targets, str) else list(targets)
        if isinstance(targets, str) or not targets:
            raise ValueError(
                f'locate_all takes a list of targets, as in ["boat", "mug"], not {quoted(targets)}'
            )
        for target in targets:
            check_target(target)
        locator = self._require_locator()
        if isinstance(locator, SearchLocator):
            locator = SharedTreeLocator(locator)
        if not isinstance(locator, SharedTreeLocator):
            raise ValueError("locate_all needs a search by a strategy: load with search=guided")
        opened = picture(image)
        try:
            results = locator.locate([LocateRequest(opened, target) for target in targets])
        finally:
            self._forget([opened])
        for result in results:
            if result.failure is not None:
                raise result.failure
            result.image, result.notes = opened, self.notes_on(opened)
        return results

    def ask_many(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer many questions; their searches advance side by side.

        Pictures are opened some at a time (`QUESTIONS_PIXELS`). Where that is not all at once,
        those opened here are not kept in the answers' memories. One that turns out to be damaged
        is the error of its answers.
        """
        return self._ask_all(questions)

    def _ask_all(
        self, questions: Sequence[Question], on_events: Sequence[OnEvent | None] = ()
    ) -> list[Answer]:
        questions = [questions] if isinstance(questions, Question) else list(questions)
        self.check_questions(questions)
        parts = question_windows(questions)
        if self.keep_images:
            return self._answer(questions, on_events)
        answers: list[Answer] = []
        for window in parts:
            part = [questions[place] for place in window]
            new = self._answer(part, [on_events[place] for place in window if on_events])
            answers += new if len(parts) == 1 else map(without_opened, part, new)
        return answers

    def queue(
        self,
        *,
        max_waiting: int = 1024,
        concurrency: int | None = None,
        on_batch: Callable[[str, int], None] | None = None,
    ) -> AskQueue:
        """A queue that answers and searches in the same way, for many askers at any time.

        Where a strategy searches, searches share batches from the moment they come, and answers
        whenever several wait; of other locators, those that wait are searched for together. See
        `AskQueue` for the arguments.
        """
        from seal.pipeline.ask_queue import AskQueue

        return AskQueue(self, max_waiting=max_waiting, concurrency=concurrency, on_batch=on_batch)

    def stages(self) -> ShowSearchTell:
        """What answers questions whose pictures are open."""
        assert self.answer_model is not None
        return ShowSearchTell(
            self.answer_model, self.locator, self.protocol, self._planner, self.control
        )

    def check_questions(self, questions: Sequence[Question]) -> None:
        """Refuse what is no question for this `Seal`.

        Raises:
            ValueError: there is no VQA LLM, what is given is no `Question`, or its text has marks
                that the model would not read as letters.
        """
        if self.answer_model is None:
            raise ValueError("this Seal has no VQA LLM: load it with vqa=FOLDER")
        for question in questions:
            if not isinstance(question, Question):
                raise ValueError(
                    "ask_many takes Questions, as in Question(image, text, options), not "
                    f"{quoted(question)}"
                )
            if not getattr(self.answer_model, "reads_marks_as_letters", False):
                question.refuse_marks()
            if question.budget is not None and not isinstance(self.locator, SearchLocator):
                raise ValueError(
                    "a budget ends the searches of a strategy for one target each, and this Seal "
                    "makes none: drop it"
                )

    def forget(self, image: Image) -> None:
        """Drop what is known about an image that nobody asks about any more, unless images are
        kept.
        """
        self._forget([image])

    def _answer(
        self, questions: Sequence[Question], on_events: Sequence[OnEvent | None]
    ) -> list[Answer]:
        """Of one window."""
        images, damaged = open_all([q.image for q in questions])
        sound = [
            replace(q, image=image)
            for i, (q, image) in enumerate(zip(questions, images, strict=True))
            if i not in damaged
        ]
        try:
            stages = self.stages()
            telling = [tell for i, tell in enumerate(on_events) if i not in damaged]
            told = stages(sound, telling) if sound else []
            for question, answer in zip(sound, told, strict=True):
                answer.notes = self.notes_on(_opened(question))
            answers = iter(told)
        finally:
            self._forget(images)
        return [
            Answer("", "", searches=[damaged[i]]) if i in damaged else next(answers)
            for i in range(len(questions))
        ]

    def _require_locator(self) -> Locator:
        if self.locator is None:
            raise ValueError("this Seal does not search: load it with vsm=FOLDER and a search")
        return self.locator

    def _forget(self, images: Sequence[Image | None]) -> None:
        """What is known goes by the object: its pixels may change, and memory is not endless."""
        if self.keep_images:
            return
        for image in images:
            if image is not None:
                self._forget_one(image)

    def _forget_one(self, image: Image) -> None:
        # Only networks and caches keep anything.
        for holder in (self.answer_model, self.locator):
            forget = getattr(holder, "forget", None)
            if forget is not None:
                forget(image)


def _opened(question: Question) -> Image | None:
    assert question.image is None or isinstance(question.image, Image)
    return question.image


def _require_kinds(**given: object) -> None:
    """A dict in place of a config is told before anything is loaded."""
    from seal.inference.answers.chat_options import ChatOptions
    from seal.inference.vicrop.config import ViCropConfig

    kinds = {
        "chat": ChatOptions, "vicrop": ViCropConfig, "speed": SpeedConfig, "budget": BudgetConfig,
        "search_config": SearchConfig,
    }  # fmt: skip
    for name, value in given.items():
        kind = kinds[name]
        if value is not None and not isinstance(value, kind):
            raise ValueError(
                f"{name}= takes a {kind.__name__} (from {kind.__module__}), not {quoted(value)}"
            )


def guide_for(chosen: str | GuideConfig | None) -> GuideConfig:
    """The guide that is meant by a name, by parts, by a config, or by nothing (SEAL's)."""
    if chosen is None:
        return GuideConfig()
    if isinstance(chosen, str):
        return GuideConfig.read(chosen)
    if not isinstance(chosen, GuideConfig):
        raise ValueError(
            f"guide= takes a name, parts as in 'detect=owlv2,cue=seal', or a GuideConfig (from "
            f"{GuideConfig.__module__}), not {quoted(chosen)}"
        )
    return chosen


def planner_for(
    chosen: str | PlannerConfig | None, answer_model: AnswerModel | None, locator: Locator | None
) -> PlannerConfig:
    """`chosen`, with its name decided.

    A model that was taught to refuse says what it lacks. Of the others, one whose own attention is
    read for the question needs nothing named, and is not asked.
    """
    config = chosen if isinstance(chosen, PlannerConfig) else PlannerConfig(name=chosen)
    if config.name is None and answer_model is not None:
        name = default_planner(answer_model)
        if name == "ask" and getattr(locator, "by_question", False):
            name = "given"
        config = replace(config, name=name)
    return config
