"""Stand-ins for the networks: they obey the protocols and know the answers they are given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from seal.geometry import Box
from seal.inference.answers.protocol import Cost, Generation
from seal.search.oracle import OracleModel
from seal.search.protocol import Cue, Detections, Heat, Query
from seal.text.prompts import refusal
from seal.working_memory import VisualWorkingMemory

Loss = Callable[[VisualWorkingMemory, str], float]


def generation(text: str) -> Generation:
    return Generation(text, len(text.split()) + 1, True)


class FakeAnswerModel:
    """Refuses a question that lacks something until the memory holds it, then answers.

    needs: question -> names of what must be seen. answers: question -> free text once it is seen.
    loss: of an option; by default 0.1 for the option in `answers` and 1.0 for every other, but
    everything 1.0 while something is missing.
    """

    def __init__(
        self,
        needs: Mapping[str, Sequence[str]] | None = None,
        answers: Mapping[str, str] | None = None,
        loss: Loss | None = None,
        max_crops: int | None = None,
    ) -> None:
        self.max_crops = max_crops  # that fit; None: any number
        self.needs, self.answers = dict(needs or {}), dict(answers or {})
        self.loss = loss or self._loss
        self.generated: list[list[VisualWorkingMemory]] = []  # the batches it was given
        self.scored: list[list[tuple[VisualWorkingMemory, tuple[str, ...]]]] = []
        self.cost = Cost()

    def loglikelihood(
        self, requests: Sequence[tuple[VisualWorkingMemory, Sequence[str]]]
    ) -> list[list[float]]:
        self.scored.append([(memory, tuple(options)) for memory, options in requests])
        return [[self.loss(memory, option) for option in options] for memory, options in requests]

    def next_word(
        self, requests: Sequence[tuple[VisualWorkingMemory, Sequence[str]]]
    ) -> list[list[float]]:
        return [[self.loss(memory, word) for word in words] for memory, words in requests]

    def generate(
        self, requests: Sequence[VisualWorkingMemory], *, max_new_tokens: int = 200
    ) -> list[Generation]:
        self.generated.append(list(requests))
        return [generation(self._say(memory)) for memory in requests]

    def fits(
        self,
        memory: VisualWorkingMemory,
        options: Sequence[str] = (),
        *,
        max_new_tokens: int = 200,
    ) -> bool:
        return self.max_crops is None or memory.num_crops <= self.max_crops

    def missing(self, memory: VisualWorkingMemory) -> list[str]:
        seen = {target.name for target in memory.targets if target.boxes}
        return [name for name in self.needs.get(memory.question, ()) if name not in seen]

    def _say(self, memory: VisualWorkingMemory) -> str:
        if not memory.targets and self.missing(memory):
            return refusal(self.missing(memory))
        return self.answers.get(memory.question, "Yes.")

    def _loss(self, memory: VisualWorkingMemory, option: str) -> float:
        right = option == self.answers.get(memory.question) and not self.missing(memory)
        return 0.1 if right else 1.0


class FakeSearchModel:
    """An oracle that knows where the named things are in any image, and counts its batches.

    Names it does not know are nowhere.
    """

    def __init__(self, boxes: Mapping[str, Sequence[Box]], *, min_share: float = 0.01) -> None:
        self.batches: list[tuple[str, int]] = []  # (kind, size) of each call
        self._oracle = OracleModel(lambda image, name: boxes.get(name, ()), min_share=min_share)

    def detect(self, queries: Sequence[Query]) -> list[Detections]:
        self.batches.append(("detect", len(queries)))
        return self._oracle.detect(queries)

    def contextual_cue(self, queries: Sequence[Query]) -> list[Cue]:
        self.batches.append(("contextual_cue", len(queries)))
        return self._oracle.contextual_cue(queries)

    def cue_heatmap(self, queries: Sequence[Query]) -> list[Heat]:
        self.batches.append(("cue_heatmap", len(queries)))
        return list(self._oracle.cue_heatmap(queries))
