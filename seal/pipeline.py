"""Show, search and tell: answer, or name what is missing, find it, and answer again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL.Image import Image

from seal.images import open_image
from seal.inference.protocol import AnswerModel
from seal.memory import MemoryTarget, VisualWorkingMemory
from seal.search.config import SearchConfig
from seal.search.protocol import Locator
from seal.search.result import SearchResult
from seal.search.run import SearchLocator
from seal.search.strategies import STRATEGIES, build_strategy
from seal.search.trace import to_dict
from seal.text.prompts import parse_missing

ON_NOT_FOUND = ("say_so", "use_best_box")
MAX_ANSWER_TOKENS = 200


@dataclass(kw_only=True, slots=True)
class ProtocolConfig:
    """The inference side of the named bundles of the original's quirks (`protocol=`)."""

    name: str = "default"
    on_not_found: str = "say_so"  # use_best_box: a failed search hands over its best guess (21)
    no_search_image: str = "padded"  # as_released: options of a first pass see a center crop (22)

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
            return cls(name=name, on_not_found="use_best_box", no_search_image="as_released")
        raise ValueError(f"protocol={name!r}; known: default, as_released")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about an image; `image=None` asks about text alone."""

    image: Image | None
    text: str
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise ValueError("the question is empty: say what you want to know about the image")
        if len(set(self.options)) != len(self.options):
            raise ValueError(f"an option appears twice: {list(self.options)}")


@dataclass(slots=True)
class Answer:
    """What came out, and how."""

    text: str  # the chosen option, or free text
    first_text: str  # what the model said before any search; "" if it was not asked
    option: int | None = None  # index of the chosen option; None: free-form, or a tie
    losses: list[float] = field(default_factory=list)  # of each option, lower is likelier
    missing: list[str] = field(default_factory=list)  # what the first answer lacked
    memory: VisualWorkingMemory | None = None  # what the final answer was given
    searches: list[SearchResult] = field(default_factory=list)  # one per missing target
    cost: dict[str, Any] = field(default_factory=dict)  # model calls by kind, summed

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
    ) -> None:
        """`locator=None`: never search. `answer_model=None`: only `locate`."""
        self.answer_model = answer_model
        self.locator = locator
        self.protocol = protocol or ProtocolConfig()

    @classmethod
    def from_pretrained(
        cls,
        vqa: str | Path | None,
        vsm: str | Path | None,
        *,
        search: str = "guided",
        quantization: str | None = None,
        dtype: Any = None,
        device: str | None = None,
        protocol: str = "default",
    ) -> Seal:
        """Load both models from folders or hub ids.

        `search`: a strategy, or "none" to answer from the whole image alone. `vqa=None` leaves
        only `locate`; `vsm=None` needs `search="none"`. `dtype`: a torch dtype; None is the
        file's, float32 on a CPU.

        Raises:
            ValueError: an unknown strategy or protocol, or a folder that is no model folder.
        """
        chosen = ProtocolConfig.named(protocol)
        if search not in STRATEGIES and search != "none":
            raise ValueError(
                f"unknown search strategy {search!r}; known: {', '.join((*STRATEGIES, 'none'))}"
            )
        import torch

        from seal.inference.vqa import NetworkAnswerModel
        from seal.inference.vsm import NetworkSearchModel
        from seal.models.load import load_model
        from seal.models.vqa import VQAModel
        from seal.models.vsm import VSM
        from seal.text.tokenize import load_tokenizer

        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        locator: Locator | None = None
        if search != "none":
            if vsm is None:
                raise ValueError(f"search={search} needs a search model: give vsm=FOLDER")
            folder = model_folder(vsm)
            model = load_model(folder, device=device, dtype=dtype, quantization=quantization)
            if not isinstance(model, VSM):
                raise ValueError(f"{folder} holds a {type(model).__name__}, not a search model")
            strategy = build_strategy(
                search,
                SearchConfig(
                    min_size=model.config.search_min_size,
                    min_size_scale=model.config.search_min_size_scale,
                ),
            )
            locator = SearchLocator(strategy, NetworkSearchModel(model, load_tokenizer(folder)))
        answers: AnswerModel | None = None
        if vqa is not None:
            folder = model_folder(vqa)
            model = load_model(folder, device=device, dtype=dtype, quantization=quantization)
            if not isinstance(model, VQAModel):
                raise ValueError(f"{folder} holds a {type(model).__name__}, not a VQA LLM")
            answers = NetworkAnswerModel(
                model, load_tokenizer(folder), no_search_image=chosen.no_search_image
            )
        return cls(answers, locator, protocol=chosen)

    def ask(
        self, image: str | Path | Image | None, question: str, options: Sequence[str] | None = None
    ) -> Answer:
        """Answer one question; with `options`, choose the likeliest."""
        return self.ask_many([Question(_opened(image), question, tuple(options or ()))])[0]

    def locate(self, image: str | Path | Image, target: str) -> SearchResult:
        """Search one image for `target`, any phrase."""
        if not target.strip():
            raise ValueError("the target is empty: say what to look for")
        if self.locator is None:
            raise ValueError("this Seal has no search model: load it with vsm=FOLDER and a search")
        opened = _opened(image)
        assert opened is not None
        return self.locator.locate([(opened, target)])[0]

    def ask_many(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer many questions; their searches advance side by side."""
        if self.answer_model is None:
            raise ValueError("this Seal has no VQA LLM: load it with vqa=FOLDER")
        plain = [VisualWorkingMemory(question.text, question.image) for question in questions]
        answers = [Answer("", "", memory=memory) for memory in plain]
        if self.locator is not None:
            self._search(questions, answers)
        self._tell(questions, answers)
        return answers

    def _search(self, questions: Sequence[Question], answers: list[Answer]) -> None:
        """First answers; where one is a refusal, fill the memory with what it lacked."""
        assert self.answer_model is not None and self.locator is not None
        shown = [i for i, question in enumerate(questions) if question.image is not None]
        memories = [answers[i].memory for i in shown]
        first = self.answer_model.generate(
            [memory for memory in memories if memory is not None],
            max_new_tokens=MAX_ANSWER_TOKENS,
        )
        requests: list[tuple[Image, str]] = []
        owners: list[int] = []
        for i, said in zip(shown, first, strict=True):
            answers[i].first_text = said.text
            answers[i].missing = list(dict.fromkeys(parse_missing(said.text) or []))
            image = questions[i].image
            assert image is not None
            requests += [(image, name) for name in answers[i].missing]
            owners += [i] * len(answers[i].missing)
        for i, result in zip(owners, self.locator.locate(requests), strict=True):
            answers[i].searches.append(result)
        for i in dict.fromkeys(owners):
            answer, question = answers[i], questions[i]
            targets = tuple(self._target(result) for result in answer.searches)
            answer.memory = VisualWorkingMemory(question.text, question.image, targets)
            answer.cost = _summed(answer.searches)

    def _target(self, result: SearchResult) -> MemoryTarget:
        if result.found:
            return MemoryTarget(result.target, tuple(result.boxes))
        if self.protocol.on_not_found == "use_best_box" and result.best_box is not None:
            return MemoryTarget(result.target, (result.best_box,))
        return MemoryTarget(result.target)

    def _tell(self, questions: Sequence[Question], answers: list[Answer]) -> None:
        """Final answers: the likeliest option, or free text."""
        assert self.answer_model is not None
        choosing = [i for i, question in enumerate(questions) if question.options]
        scored = self.answer_model.loglikelihood(
            [(_memory(answers[i]), questions[i].options) for i in choosing]
        )
        for i, losses in zip(choosing, scored, strict=True):
            best = min(losses)
            tied = losses.count(best) > 1
            answers[i].losses = losses
            answers[i].option = None if tied else losses.index(best)
            answers[i].text = "" if tied else questions[i].options[losses.index(best)]
        # Free text that needed no search has been said already.
        speaking = [
            i
            for i, question in enumerate(questions)
            if not question.options and (answers[i].searches or not answers[i].first_text)
        ]
        said = self.answer_model.generate(
            [_memory(answers[i]) for i in speaking], max_new_tokens=MAX_ANSWER_TOKENS
        )
        for i, generation in zip(speaking, said, strict=True):
            answers[i].text = generation.text
        for i, question in enumerate(questions):
            if not question.options and not answers[i].text:
                answers[i].text = answers[i].first_text


def model_folder(name: str | Path) -> Path:
    """A folder as it is, or a hub id's local copy (downloaded if need be)."""
    if Path(name).is_dir():
        return Path(name)
    if Path(name).exists() or str(name).count("/") != 1 or str(name).startswith((".", "/")):
        raise ValueError(f"{name}: no such model folder (a hub id looks like owner/name)")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(str(name)))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"{name}: neither a folder here nor to be had from the hub ({why}); "
            "give the path of a model folder, for example runs/demo/vqa"
        ) from error


def _opened(image: str | Path | Image | None) -> Image | None:
    if isinstance(image, str | Path):
        return open_image(image)
    return image


def _memory(answer: Answer) -> VisualWorkingMemory:
    assert answer.memory is not None
    return answer.memory


def _summed(results: Sequence[SearchResult]) -> dict[str, Any]:
    total: dict[str, Any] = {"calls": {}, "seconds": {}, "visits": 0}
    for result in results:
        total["visits"] += len(result.path)
        for kind, count in result.calls.items():
            total["calls"][kind] = total["calls"].get(kind, 0) + count
        for kind, seconds in result.seconds.items():
            total["seconds"][kind] = total["seconds"].get(kind, 0.0) + seconds
    return json.loads(json.dumps(total))
