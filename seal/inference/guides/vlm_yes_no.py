"""Any answer model as a guide, asked for Yes or No: how sure it is, told by two logits (ZoomEye).

Shen et al. 2025 (arXiv 2411.16044) ask three questions about a region: whether the target can be
seen in it, whether it could be found by looking closer, and whether the question can be answered.
They scale the probability to [-1, 1]; here it is P(Yes) / (P(Yes) + P(No)), from 0 to 1.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL.Image import Image

from seal.inference.answers.protocol import AnswerModel
from seal.inference.guides.asking import Asking, with_article
from seal.search.config import SearchConfig
from seal.search.heatmap import GridHeat
from seal.search.protocol import Cue, Detections, Heat, Patch, Query, QueryKind
from seal.search.tree import split
from seal.text.prompts import REFUSAL, without_article
from seal.text.quote import quoted

YES_NO = ("Yes", "No")
ASKINGS = ("yes_no", "refusal")
_LEAST_MASS = 0.01  # of both words together, below which it is told
_ONE_WORD = "Answer with one word, Yes or No."


class YesNoGuide:
    """A `SearchModel` with `TargetHeat` and `Confidences` on an `AnswerModel`.

    A confidence is one short call. `detect` is one (the whole patch as box, the existing confidence
    as score: as fine as the patches are), a heat is four (the latent confidence of each child), a
    contextual cue a generated sentence.
    """

    name = "vlm_yes_no"
    kinds: frozenset[QueryKind] = frozenset(
        {
            "detect", "contextual_cue", "cue_heatmap", "target_heat",
            "existing", "latent", "answering",
        }
    )  # fmt: skip

    def __init__(
        self,
        answer_model: AnswerModel,
        *,
        show: str = "patch",
        asking: str | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        """`show`: the patch by itself, or "both", the whole image and the patch.

        `asking`: "yes_no", or "refusal" for a model that was taught to refuse (SEAL's VQA LLM):
        existing and answering confidence are then that an answer does not begin as its refusal
        does; None: by the model. Whether something would be found closer by, a refusal does not
        tell: that is always asked for Yes or No.

        `tell`: is told once if answers begin with neither word; None: the log.

        Raises:
            ValueError: there is no such setting, or the model never refuses.
        """
        refuses = bool(getattr(answer_model, "names_missing", False))
        if asking is None:
            asking = "refusal" if refuses else "yes_no"
        if asking not in ASKINGS:
            raise ValueError(f"asking={asking!r} is none of {', '.join(ASKINGS)}")
        if asking == "refusal" and not refuses:
            raise ValueError(
                "asking=refusal needs a model that was taught to say what it cannot see, as SEAL's "
                "VQA LLM was: leave it out, or say asking=yes_no"
            )
        self.asking = asking
        self._tell = tell or logging.getLogger(__name__).warning
        self._told = False
        self._asking = Asking(answer_model, show)
        self.cost = self._asking.cost

    def existing(self, queries: Sequence[Query]) -> list[float]:
        """That `text` can be seen in the patch.

        Raises:
            ValueError: the model tells the probability of neither word, or cannot be asked.
        """
        with self._asking.counting("existing", queries):
            return self._existing(queries)

    def latent(self, queries: Sequence[Query]) -> list[float]:
        """That `text` would be found by looking closer; errors as of `existing`."""
        with self._asking.counting("latent", queries):
            return self._latent([(query.patch, query.text) for query in queries])

    def answering(self, queries: Sequence[Query]) -> list[float]:
        """That `text`, a question, can be answered from the patch; errors as of `existing`."""
        with self._asking.counting("answering", queries):
            if self.asking == "refusal":
                return self._not_refused([(query.patch, query.text) for query in queries])
            return self._yes([(query.patch, _whether(query.text)) for query in queries])

    def detect(self, queries: Sequence[Query]) -> list[Detections]:
        """The patch itself, with the existing confidence; errors as of `existing`."""
        with self._asking.counting("detect", queries):
            sure = self._existing(queries)
        return [
            Detections(
                np.array([[0, 0, *query.patch.size]], np.float32),
                np.array([score], np.float32),
            )
            for query, score in zip(queries, sure, strict=True)
        ]

    def contextual_cue(self, queries: Sequence[Query]) -> list[Cue]:
        with self._asking.counting("contextual_cue", queries):
            return self._asking.cues(queries)

    def target_heat(self, queries: Sequence[Query]) -> list[Heat]:
        """The latent confidences of the children as a coarse map; errors as of `existing`."""
        with self._asking.counting("target_heat", queries):
            return self._heats(queries)

    def cue_heatmap(self, queries: Sequence[Query]) -> list[Heat]:
        """As `target_heat`, of the phrase."""
        with self._asking.counting("cue_heatmap", queries):
            return self._heats(queries)

    def search_config(self) -> SearchConfig:
        """A heat is a confidence here: the target's own guides once a child likely holds it."""
        return SearchConfig(cue_threshold=0.5, cue_threshold_decay=1.0, cue_threshold_min=0.5)

    def settings(self) -> dict[str, Any]:
        """What belongs beside every result of this guide."""
        return {
            "asking": self.asking,
            "show": self._asking.show,
            "model": self._asking.answer_model.settings(),
        }

    def forget(self, image: Image) -> None:
        """Drop what is known about an image."""
        self._asking.forget(image)

    def _existing(self, queries: Sequence[Query]) -> list[float]:
        if self.asking == "refusal":
            return self._not_refused([(query.patch, _about(query.text)) for query in queries])
        return self._yes([(query.patch, _is_there(query.text)) for query in queries])

    def _latent(self, asked: Sequence[tuple[Patch, str]]) -> list[float]:
        return self._yes([(patch, _closer(text)) for patch, text in asked])

    def _heats(self, queries: Sequence[Query]) -> list[Heat]:
        regions = [split(query.patch.box) for query in queries]
        sure = iter(
            self._latent(
                [
                    (Patch(query.patch.image, box), query.text)
                    for query, boxes in zip(queries, regions, strict=True)
                    for box in boxes
                ]
            )
        )
        heats: list[Heat] = []
        for query, boxes in zip(queries, regions, strict=True):
            columns = len({box.x0 for box in boxes})
            grid = np.array([next(sure) for _ in boxes]).reshape(-1, columns)
            heats.append(GridHeat(grid, *query.patch.size, peak=float(grid.max())))
        return heats

    def _yes(self, asked: Sequence[tuple[Patch, str]]) -> list[float]:
        memories = [self._asking.memory(patch, f"{text} {_ONE_WORD}") for patch, text in asked]
        losses = self._asking.answer_model.next_word([(memory, YES_NO) for memory in memories])
        shares = [
            yes_share(yes, no, memory.question)
            for (yes, no), memory in zip(losses, memories, strict=True)
        ]
        self._tell_of_other_answers(losses)
        return shares

    def _tell_of_other_answers(self, losses: Sequence[Sequence[float]]) -> None:
        """Say once that a model begins its answers otherwise: what is left for the two says little.

        A model that thinks first does, and one that answers in sentences.
        """
        most = max((sum(math.exp(-loss) for loss in pair) for pair in losses), default=1.0)
        if most < _LEAST_MASS and not self._told:
            self._told = True
            self._tell(
                "asked for Yes or No, the model begins with either with a probability of "
                f"{most:.2g} at most, so its confidences mean little; tell a model that thinks "
                "first not to, or choose another guide"
            )

    def _not_refused(self, asked: Sequence[tuple[Patch, str]]) -> list[float]:
        sorry = (REFUSAL.split()[0],)
        memories = [self._asking.memory(patch, text) for patch, text in asked]
        losses = self._asking.answer_model.next_word([(memory, sorry) for memory in memories])
        return [1.0 - min(math.exp(-loss), 1.0) for (loss,) in losses]


def yes_share(yes: float, no: float, question: str = "") -> float:
    """P(Yes) / (P(Yes) + P(No)) from the two -log p, in [0, 1].

    Raises:
        ValueError: both are infinite.
    """
    if math.isinf(yes) and math.isinf(no):
        raise ValueError(
            f"the model tells the probability of neither Yes nor No to {quoted(question)}: raise "
            "top_logprobs, tell a model that thinks first not to, or choose another guide"
        )
    difference = no - yes
    if difference >= 0:
        return 1.0 / (1.0 + math.exp(-difference))
    return math.exp(difference) / (1.0 + math.exp(difference))


def _is_there(target: str) -> str:
    return f"Is there {with_article(target)} in the image?"


def _closer(target: str) -> str:
    return f"Could {with_article(target)} be found in the image by looking closer at it?"


def _whether(question: str) -> str:
    return f'Can this question be answered from what the image shows: "{question}"'


def _about(target: str) -> str:
    """A question about a target that is answered once the target is seen, and refused before."""
    return f"What is the color of the {without_article(target)}?"
