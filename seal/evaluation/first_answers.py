"""An answer model that is asked once what several systems of a benchmark ask it alike."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeAlias, TypeVar

from PIL.Image import Image

from seal.inference.answers.protocol import Account, AnswerModel, Cost, Generation
from seal.working_memory import VisualWorkingMemory

T = TypeVar("T")  # an answer
Q = TypeVar("Q")  # a request


@dataclass(slots=True)
class Remembered(Generic[T]):
    """An answer, and what it cost."""

    image: Image | None  # kept alive, so that its identity, the key, is not used again
    answer: T
    cost: Cost


_FIRST = "first answer"
Asked: TypeAlias = tuple[int, str, Hashable]  # image, question, and how it is asked


class FirstAnswers:
    """An `AnswerModel` that reads a plain image once for a question, whichever system asks.

    Its cost is what each system would have caused alone: what is known already is charged again.
    """

    def __init__(self, model: AnswerModel, again: Account | None = None) -> None:
        """`again`: of a model that keeps no account, what is charged again; see `shown_as`."""
        self.model = model
        self.names_missing: bool = getattr(model, "names_missing", False)
        self.scores_options: bool = getattr(model, "scores_options", True)
        self.reads_marks_as_letters: bool = getattr(model, "reads_marks_as_letters", False)
        self.counts_visual_tokens: bool = getattr(model, "counts_visual_tokens", False)
        self._again = Account() if again is None else again
        self.account: Account = getattr(model, "account", self._again)
        self._said: dict[Asked, Remembered[Generation]] = {}
        self._words: dict[Asked, Remembered[list[float]]] = {}

    @property
    def cost(self) -> Cost:
        return self.model.cost + self._again.total

    def shown_as(self, word: str) -> FirstAnswers:
        """The same model with pictures shown as `word` (`Showing`); what it answers is remembered
        apart, while whatever is charged again is charged to both.

        Raises:
            ValueError: the answer model shows pictures in one way, or not in this one.
        """
        shown_as = getattr(self.model, "shown_as", None)
        if shown_as is None:
            raise ValueError(
                f"@{word}: pictures can be shown in several ways by SEAL's and AVG-LLaVA's answer "
                "models alone; leave it out"
            )
        return FirstAnswers(shown_as(word), self._again)

    def levels_of(self, memory: VisualWorkingMemory) -> tuple[int, ...]:
        """Of the image and of each crop, the level it is shown at; () where there are none."""
        levels_of = getattr(self.model, "levels_of", None)
        return () if levels_of is None else tuple(levels_of(memory))

    def charge_again(self, cost: Cost) -> None:
        """Of what was asked of the model by something that this remembers nothing of."""
        self._again.total.add(cost)

    def loglikelihood(
        self, requests: Sequence[tuple[VisualWorkingMemory, Sequence[str]]]
    ) -> list[list[float]]:
        return self.model.loglikelihood(requests)

    def next_word(
        self, requests: Sequence[tuple[VisualWorkingMemory, Sequence[str]]]
    ) -> list[list[float]]:
        return self._remembering(
            self._words,
            requests,
            [(memory, tuple(words)) for memory, words in requests],
            self.model.next_word,
        )

    def generate(
        self, requests: Sequence[VisualWorkingMemory], *, max_new_tokens: int = 200
    ) -> list[Generation]:
        return self._remembering(
            self._said,
            requests,
            [(memory, max_new_tokens) for memory in requests],
            lambda new: self.model.generate(new, max_new_tokens=max_new_tokens),
        )

    def _remembering(
        self,
        known: dict[Asked, Remembered[T]],
        requests: Sequence[Q],
        asked: Sequence[tuple[VisualWorkingMemory, Hashable]],
        answer: Callable[[list[Q]], list[T]],
    ) -> list[T]:
        """The answers, of those without a search each once. `asked`: what tells requests apart."""
        plain = {
            (id(memory.image), memory.question, how): i
            for i, (memory, how) in enumerate(asked)
            if not memory.targets
        }
        new = [i for key, i in plain.items() if key not in known]
        later = [i for i, (memory, _) in enumerate(asked) if memory.targets]
        before = replace(self.model.cost)
        # Each is asked in its own name, to know what it alone costs.
        named = [_owned(requests[i], (_FIRST, i)) for i in new]
        said = dict(zip(new, answer(named) if new else [], strict=True))
        share = (self.model.cost - before).share(max(1, len(new)))
        for i in new:
            memory, how = asked[i]
            cost = self.account.by_owner.pop((_FIRST, i), share)
            self.account.owe(memory, cost)
            key = id(memory.image), memory.question, how
            known[key] = Remembered(memory.image, said[i], cost)
        said |= dict(zip(later, answer([requests[i] for i in later]) if later else [], strict=True))
        answers = []
        for i, (memory, how) in enumerate(asked):
            if i in said:
                answers.append(said[i])
                continue
            remembered = known[id(memory.image), memory.question, how]
            self.account.charge(memory, remembered.cost)
            answers.append(remembered.answer)
        return answers

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

    def forget(self) -> None:
        """Drop everything."""
        self._said.clear()
        self._words.clear()


def _owned(request: Any, owner: Hashable) -> Any:
    """A request, a memory or one with its words, as asked for by `owner`."""
    if isinstance(request, VisualWorkingMemory):
        return replace(request, asked_for=owner)
    memory, words = request
    return replace(memory, asked_for=owner), words
