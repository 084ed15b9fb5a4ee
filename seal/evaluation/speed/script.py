"""Real networks, scripted outcomes: the work is done, and what comes of it is set beforehand.

Random weights find nothing and say nothing. So that the search goes as a trained model's does on
average, every query goes through the network, and then its verdict is replaced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import cycle, islice
from typing import Any

import numpy as np
from PIL.Image import Image

from seal.evaluation.speed.plain_search import PlainSearch
from seal.failure import FailedError
from seal.geometry import Box
from seal.inference.answers.protocol import Cost, Generation
from seal.inference.answers.seal_vqa import NetworkAnswerModel
from seal.inference.guides.seal_vsm import NetworkSearchModel
from seal.search.config import SearchConfig
from seal.search.driver import run_searches
from seal.search.guided import GuidedSearch
from seal.search.protocol import Cue, Detections, Heat, Query, target_heats
from seal.text.conversation import continuation_ids
from seal.text.prompts import cue_prefix, refusal
from seal.working_memory import VisualWorkingMemory

# Visits of the two searches of each question. The mean of the 20 is 4.65, the paper's search length
# (table 3); every question makes 9 or 10 visits, so one question costs about what the next does.
LENGTHS = (
    (5, 4), (1, 8), (4, 6), (6, 3), (2, 7), (1, 9), (3, 6), (4, 5), (8, 2), (5, 4),
)  # fmt: skip
FIRST, SECOND = TARGETS = ("red mug", "blue umbrella")
QUESTION = f"Is the {FIRST} on the left or right side of the {SECOND}?"
OPTIONS = tuple(
    f"The {FIRST} is {where} the {SECOND}."
    for where in ("on the left side of", "on the right side of", "above", "below")
)
PLACE = "the table"  # where every cue answer says that the target is
SEEN, UNSEEN = 0.9, 0.1  # confidence on the last visit of a search, and on those before


def search_lengths(count: int) -> list[tuple[int, int]]:
    """Visits of the first `count` questions."""
    return list(islice(cycle(LENGTHS), count))


class ScriptedAnswers:
    """The VQA LLM: first names both targets as missing, then answers.

    It decodes as many tokens as what it is said to have said has.
    """

    names_missing = True

    def __init__(self, model: NetworkAnswerModel) -> None:
        """`model` must never end by itself (`write_random_model(never=...)`)."""
        self.model = model
        self.first_text = refusal(TARGETS)
        self.first_tokens = len(continuation_ids(model.tokenizer, model.template, self.first_text))

    def loglikelihood(
        self, requests: Sequence[tuple[VisualWorkingMemory, Sequence[str]]]
    ) -> list[list[float]]:
        return self.model.loglikelihood(requests)

    @property
    def cost(self) -> Cost:
        return self.model.cost

    def next_word(
        self, requests: Sequence[tuple[VisualWorkingMemory, Sequence[str]]]
    ) -> list[list[float]]:
        return self.model.next_word(requests)

    def generate(
        self, requests: Sequence[VisualWorkingMemory], *, max_new_tokens: int = 200
    ) -> list[Generation]:
        if any(memory.targets for memory in requests):
            return self._decode(requests, max_new_tokens)
        return [
            replace(said, text=self.first_text, finished=True)
            for said in self._decode(requests, self.first_tokens)
        ]

    def prompt(self, memory: VisualWorkingMemory) -> str:
        return self.model.prompt(memory)

    def settings(self) -> dict[str, Any]:
        return self.model.settings()

    def fits(
        self,
        memory: VisualWorkingMemory,
        options: Sequence[str] = (),
        *,
        max_new_tokens: int = 200,
    ) -> bool:
        return self.model.fits(memory, options, max_new_tokens=max_new_tokens)

    def forget(self, image: Image) -> None:
        """Drop what is known about an image."""
        self.model.forget(image)

    def _decode(self, requests: Sequence[VisualWorkingMemory], count: int) -> list[Generation]:
        said = self.model.generate(requests, max_new_tokens=count)
        for generation in said:
            _require_count("the VQA LLM", generation.num_tokens, count)
        return said


class ScriptedSearch:
    """A search model: sees a target in the region it is told, and cues point nowhere.

    Maps that point nowhere make the search go breadth first. Every visit but the last asks for a
    contextual cue as long as it can (the whole image and its four parts; their parts are leaves):
    no search of the same length makes more calls. The two searches of a question look at the same
    regions, though, and share what the towers see there.
    """

    kinds = NetworkSearchModel.kinds

    def __init__(
        self,
        model: NetworkSearchModel | PlainSearch,
        *,
        cue_tokens: int,
        config: SearchConfig | None = None,
    ) -> None:
        """`model` must never end a sentence by itself (`write_random_model(never=...)`).

        cue_tokens: decoded for each cue. config: of the searches; None: as suits the model.
        """
        self.model = model
        self.model.max_cue_tokens = self.cue_tokens = cue_tokens
        self.passes_to = (model,)
        self.config = config or model.search_config()
        self._seen_in: dict[tuple[int, str], Box] = {}  # by identity of the image, and target

    def begin(self, image: Image, lengths: Mapping[str, int]) -> None:
        """The visits of the next search of this image for each target.

        Raises:
            ValueError: the image has fewer regions.
        """
        regions = breadth_first(image, self.config)
        for target, length in lengths.items():
            if length > len(regions):
                raise ValueError(
                    f"a search of {length} visits cannot be made: an image of {list(image.size)} "
                    "has too few regions; raise image_size= (of paths: searched_image_size=)"
                )
            self._seen_in[id(image), target] = regions[length - 1]

    def detect(self, queries: Sequence[Query]) -> list[Detections]:
        found = self.model.detect(queries)
        return [self._judge(query, each) for query, each in zip(queries, found, strict=True)]

    def target_heat(self, queries: Sequence[Query]) -> list[Heat]:
        heats = target_heats(self.model, queries)
        return [FlatHeat(heat, query.patch.box) for query, heat in zip(queries, heats, strict=True)]

    def contextual_cue(self, queries: Sequence[Query]) -> list[Cue]:
        before = self.model.cost.tokens_generated
        cues = self.model.contextual_cue(queries)
        made = self.model.cost.tokens_generated - before
        _require_count("the search model", made, self.cue_tokens * len(queries))
        return [
            Cue(f"{cue_prefix(query.text)} on {PLACE}.", PLACE, cue.extractor)
            for query, cue in zip(queries, cues, strict=True)
        ]

    def cue_heatmap(self, queries: Sequence[Query]) -> list[Heat]:
        heats = self.model.cue_heatmap(queries)
        return [FlatHeat(heat, query.patch.box) for query, heat in zip(queries, heats, strict=True)]

    def forget(self, image: Image) -> None:
        """Drop what is known about an image."""
        self.model.forget(image)

    def _judge(self, query: Query, found: Detections) -> Detections:
        """The real boxes, but the best is as sure as the script says and no other is."""
        scores = np.full_like(found.scores, UNSEEN)
        here = self._seen_in[id(query.patch.image), query.text] == query.patch.box
        scores[found.scores.argmax()] = SEEN if here else UNSEEN
        heat = None if found.heat is None else FlatHeat(found.heat, query.patch.box)
        return Detections(found.boxes, scores, heat)


def breadth_first(image: Image, config: SearchConfig) -> list[Box]:
    """The regions of an image in the order in which a search visits them that nothing guides."""
    nothing = _Nothing()
    (result,) = run_searches([GuidedSearch(config).explore(image, "")], nothing)
    return [node.box for node in result.path]


class _Nothing:
    """A search model that sees nothing and points nowhere, at no cost."""

    def detect(self, queries: Sequence[Query]) -> list[Detections]:
        boxes, scores = np.zeros((1, 4), np.float32), np.array([UNSEEN], np.float32)
        return [Detections(boxes, scores, FlatHeat(None, query.patch.box)) for query in queries]

    def contextual_cue(self, queries: Sequence[Query]) -> list[Cue]:
        return [Cue("", PLACE, "script") for _ in queries]

    def cue_heatmap(self, queries: Sequence[Query]) -> list[Heat]:
        return [FlatHeat(None, query.patch.box) for query in queries]


class FlatHeat:
    """A map of the network's that is looked at, and then said to be weak and the same all over."""

    def __init__(self, heat: Heat | None, box: Box) -> None:
        """`box`: what the map covers; without a map there is nothing to look at."""
        self.heat, self.area = heat, box.area

    def peak(self) -> float:
        if self.heat is not None:
            self.heat.peak()
        return 0.0

    def shares(self, regions: Sequence[Box]) -> list[float]:
        if self.heat is not None:
            self.heat.shares(regions)
        return [region.area / self.area for region in regions]

    def to_numpy(self) -> np.ndarray:
        assert self.heat is not None
        return self.heat.to_numpy()


def _require_count(who: str, tokens: int, wanted: int) -> None:
    if tokens != wanted:
        raise FailedError(
            f"{who} stopped after {tokens} tokens, not {wanted}: its LM head has been changed, "
            "delete the folder of random weights"
        )
