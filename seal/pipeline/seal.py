"""`Seal`: both models behind one door; questions and targets go in, answers and boxes come out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PIL.Image import Image

from seal.inference.answers.protocol import AnswerModel
from seal.inference.build_locator import build_locator, check_search
from seal.inference.hub import model_folder
from seal.pipeline.answer import Answer
from seal.pipeline.pictures import Picture, picture
from seal.pipeline.protocol import ProtocolConfig
from seal.pipeline.question import Question
from seal.pipeline.stages import ShowSearchTell
from seal.search.config import SearchConfig
from seal.search.locator import LocateRequest, Locator
from seal.search.oracle import Known
from seal.search.result import SearchResult
from seal.search.strategies import STRATEGIES
from seal.text.quote import quoted
from seal.text.targets import check_target

if TYPE_CHECKING:
    import torch


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
        image: Picture | None,
        question: str,
        options: Sequence[str] | None = None,
        targets: Sequence[str] | str | None = None,
    ) -> Answer:
        """Answer one question; with `options`, choose the likeliest.

        Args:
            image: a path, the bytes of an image file, a PIL image or a numpy array (height, width,
                3) of uint8; None asks about text alone.
            targets: a list, or a single one; searched for whatever the first answer would be.
        """
        asked = Question(image, question, options or (), targets)
        return self.ask_many([asked])[0]

    def locate(self, image: Picture, target: str) -> SearchResult:
        """Search one image (see `ask`) for `target`, any phrase."""
        return self.locate_many([(image, target)])[0]

    def locate_many(self, requests: Sequence[tuple[Picture, str]]) -> list[SearchResult]:
        """Search each image for its target; the searches advance side by side."""
        requests = list(requests)
        for request in requests:
            if not isinstance(request, tuple | list) or len(request) != 2:
                raise ValueError(f"locate_many takes pairs (image, target), not {quoted(request)}")
            check_target(request[1])
        if self.locator is None:
            raise ValueError("this Seal does not search: load it with vsm=FOLDER and a search")
        checked = [LocateRequest(picture(image), target) for image, target in requests]
        try:
            return self.locator.locate(checked)
        finally:
            self._forget([request.image for request in checked])

    def ask_many(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer many questions; their searches advance side by side."""
        if self.answer_model is None:
            raise ValueError("this Seal has no VQA LLM: load it with vqa=FOLDER")
        questions = [questions] if isinstance(questions, Question) else list(questions)
        for question in questions:
            if not isinstance(question, Question):
                raise ValueError(
                    "ask_many takes Questions, as in Question(image, text, options), not "
                    f"{quoted(question)}"
                )
        images = [None if q.image is None else picture(q.image) for q in questions]
        questions = [replace(q, image=image) for q, image in zip(questions, images, strict=True)]
        try:
            return ShowSearchTell(self.answer_model, self.locator, self.protocol)(questions)
        finally:
            self._forget(images)

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
