"""One system's answers of a run, as another program would have them: options as they were shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seal.evaluation.judged import choices_of
from seal.evaluation.recorded.own_lines import own_lines
from seal.evaluation.run import line_key
from seal.evaluation.scorings.named import scoring_named
from seal.evaluation.store import latest, read_predictions
from seal.evaluation.task import Prediction, TaskQuestion
from seal.text.letters import LETTERS
from seal.text.quote import quoted

NO_OPTION = "Z"  # VLMEvalKit's letter for an answer that chooses no option


@dataclass(frozen=True, slots=True)
class ExportedAnswer:
    """What was said to one wording of a question; `text=None`: the question could not be put."""

    number: int  # the question's place in the run, from 0
    question: TaskQuestion
    line: Prediction
    order: tuple[int, ...]  # the option at each place that was shown
    text: str | None  # a letter where options were compared by likelihood

    @property
    def options(self) -> list[str]:
        """As they were shown."""
        return [self.question.options[i] for i in self.order]

    @property
    def truth(self) -> str | None:
        """The letter of the true option; without options, the only right answer in words."""
        if self.question.options:
            right = self.question.answer
            return None if right is None else LETTERS[self.order.index(right)]
        return self.question.labels[0] if len(self.question.labels) == 1 else None

    @property
    def losses(self) -> list[float | None]:
        """Of the options as they were shown; [] where none were compared."""
        answer = self.line["answer"] or {}
        found = answer.get("losses") or []
        return [found[i] for i in self.order] if found else []

    @property
    def letter(self) -> str | None:
        """Of the option that was chosen, read as the run reads it; None: of none."""
        if self.text is None or not self.question.options:
            return None
        if self.losses:
            return None if self.text == NO_OPTION else self.text
        scoring = scoring_named(self.line["scoring"].partition("+")[0])
        option = scoring.choose(self.question, self.text, self.order).option
        return None if option is None else LETTERS[self.order.index(option)]

    @property
    def index(self) -> int | str:
        """What the benchmark's own file calls it: its number, or else our id."""
        for name in (self.question.meta.get("index"), self.question.id):
            if isinstance(name, int) and not isinstance(name, bool):
                return name
            if isinstance(name, str) and name.isascii() and name.isdigit():
                return int(name)
        return self.question.id


def exported_answers(
    folder: Path, system: str | None = None, wording: int | None = None
) -> list[ExportedAnswer]:
    """The answers of a run's folder, in its order.

    system: whose; None: the only one's. wording: which of several, from 0; None: the only one.

    Raises:
        ValueError: no run; several systems or wordings, of which none was named; a system or a
            wording that there is not.
    """
    first = next(iter(read_predictions(folder)), None) if folder.is_dir() else None
    if first is None:
        raise ValueError(f"{folder} is no run of eval/benchmark: run= names the folder of one")
    lines = list(latest(own_lines(folder, str(first.get("task"))), line_key).values())
    systems = list(dict.fromkeys(line["system"] for line in lines))
    if system is None and len(systems) > 1:
        raise ValueError(
            f"{folder} holds answers of {', '.join(systems)}: say whose with system=NAME"
        )
    if system is not None and system not in systems:
        raise ValueError(f"{folder} has no answers of system={system}, only {', '.join(systems)}")
    chosen = [line for line in lines if line["system"] == (system or systems[0])]
    return [_exported(number, line, folder, wording) for number, line in enumerate(chosen)]


def task_of(answers: Sequence[ExportedAnswer]) -> str:
    """The benchmark that they are of."""
    return str(answers[0].line["task"])


def cell(value: Any) -> Any:
    """A value of `meta` as a table holds it: plain values as they are, others left out."""
    return value if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def _exported(number: int, line: Prediction, folder: Path, wording: int | None) -> ExportedAnswer:
    question, answer = TaskQuestion.from_dict(line["question"]), line["answer"]
    if len(question.options) > len(LETTERS):
        raise ValueError(f"{folder}: {quoted(line['id'])} has more options than there are letters")
    place = _place(line, folder, wording)
    orders = line["presented"] or [()]
    if orders and isinstance(orders[0], int):  # lines of before several wordings were possible
        orders = [orders]
    order = tuple(orders[place]) or tuple(range(len(question.options)))
    if answer is None:
        return ExportedAnswer(number, question, line, order, None)
    if scoring_named(line["scoring"].partition("+")[0]).reads == "losses" and question.options:
        choice = next(iter(choices_of(question, line)))
        text = NO_OPTION if choice.option is None else LETTERS[order.index(choice.option)]
        return ExportedAnswer(number, question, line, order, text)
    return ExportedAnswer(
        number, question, line, order, (answer.get("texts") or [answer["text"]])[place]
    )


def _place(line: Prediction, folder: Path, wording: int | None) -> int:
    """Which of the wordings of a line is meant."""
    count = len((line["answer"] or {}).get("texts") or line["presented"] or [""])
    if line["presented"] and isinstance(line["presented"][0], int):
        count = 1
    if wording is None and count > 1:
        raise ValueError(
            f"{folder}: {quoted(line['id'])} was put in {count} wordings, and forms have one answer"
            f" to a question: say which with wording=0 to {count - 1}"
        )
    if not 0 <= (wording or 0) < count:
        raise ValueError(
            f"{folder}: {quoted(line['id'])} has no wording={wording}, only 0 to {count - 1}"
        )
    return wording or 0
