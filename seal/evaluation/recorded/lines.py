"""Recorded answers as the prediction lines of a run, which are judged like any other's."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seal.evaluation.recorded.no_answers import refuse_benchmark
from seal.evaluation.recorded.own_lines import shows_options
from seal.evaluation.recorded.resolve import Questions
from seal.evaluation.recorded.said import Said
from seal.evaluation.scorings.named import scoring_named
from seal.evaluation.task import Prediction, TaskQuestion
from seal.text.letters import LETTERS
from seal.text.quote import quoted

PROTOCOL = "foreign"
GRADE = "grade"  # of a judge, in the line and among what a file says more
ASSUMED = "assumed_order"  # the answer depends on which option stood where: as in the benchmark
_SHOWN = 3  # questions without an answer that the error names
# How the place of an option is judged where nothing else was recorded: as the letter there.
BY_PLACE = "letter"


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """Whose answers a file holds, and how they are to be read."""

    path: Path
    task: str
    version: str
    scorings: Sequence[str]  # of the task, the first being its default
    scoring: str | None = None  # None: by what the answers hold
    form_scoring: str | None = None  # how the program that wrote them reads them itself
    name: str = "answers"  # of the system, where the file names none


def recorded_lines(
    said: Sequence[Said], questions: Sequence[TaskQuestion], recording: Recording
) -> list[Prediction]:
    """A line of each system and question, in the benchmark's order.

    A question that a system has no answer to is a line with an error: it counts, as invalid.

    Raises:
        ValueError: an answer to no question, two answers to one, one that contradicts the
            benchmark or itself, or does not fit the question's options; or two questions of one id.
    """
    _check_ids(questions, recording)
    known = Questions(questions)
    answers = _by_question(known.all_resolved(said), recording)
    refuse_benchmark(answers, known.all, recording.path)
    scoring = _scoring([one for of in answers.values() for one in of.values()], recording)
    _check_wordings(scoring, questions, recording)
    _check_read(answers, scoring, recording)
    first = _truth_first(questions)
    lines = []
    for system, every in answers.items():
        of = {name: one for name, one in every.items() if _usable(one, scoring)}
        lost = [question.id for question in questions if question.id not in of]
        for question in questions:
            line = _line(system, question, scoring, recording)
            if question.id in of:
                line |= _answered(of[question.id], question, scoring, recording)
                if first and ASSUMED in line["answer"]:
                    raise ValueError(
                        f"{of[question.id].where}: {quoted(line['answer']['text'])} names an "
                        "option by its place, and nothing says in which order they were shown; "
                        "the benchmark lists the right one first everywhere, so that its order "
                        "proves nothing: give rows their `options` as shown, or their `order`"
                    )
            else:
                line["error"] = _lost(recording.path, lost, len(questions))
            lines.append(line)
    return lines


def _truth_first(questions: Sequence[TaskQuestion]) -> bool:
    """Whether the benchmark lists the right option first throughout, as V*Bench's folders do: an
    order that no program shows, as whoever says "A" would always be right."""
    right = [question.answer for question in questions if question.options]
    return len(right) > 1 and not any(right)


def _check_ids(questions: Sequence[TaskQuestion], recording: Recording) -> None:
    name, times = next(iter(Counter(question.id for question in questions).most_common(1)), ("", 0))
    if times > 1:
        raise ValueError(
            f"{recording.path}: {times} questions are called {quoted(name)}: an answer to one "
            "could not be told from an answer to the other"
        )


def _by_question(said: Sequence[Said], recording: Recording) -> dict[str, dict[str, Said]]:
    """System -> question -> its answer. The same answer may be given twice, another may not."""
    found: dict[str, dict[str, Said]] = {}
    for one in said:
        system = one.system or recording.name
        before = found.setdefault(system, {}).setdefault(one.id, one)
        if _content(before) != _content(one):
            raise ValueError(
                f"{one.where} answers {one.id} again, and otherwise than {before.where} does"
            )
    return found


def _content(said: Said) -> str:
    return repr((said.text, said.losses, said.order, said.chosen, dict(said.more)))


def _scoring(said: Sequence[Said], recording: Recording) -> str:
    """What was asked for; else the first of the task's that reads what was recorded."""
    if recording.scoring is not None:
        if recording.scoring not in (*recording.scorings, BY_PLACE):
            raise ValueError(
                f"scoring={recording.scoring!r} is none of {', '.join(recording.scorings)}, in "
                f"which {recording.task} is judged"
            )
        return recording.scoring
    by_losses = [name for name in recording.scorings if scoring_named(name).reads == "losses"]
    if by_losses and any(one.losses is not None for one in said):
        return by_losses[0]
    if all(one.text is None for one in said) and any(one.chosen is not None for one in said):
        return BY_PLACE
    if recording.form_scoring in recording.scorings:
        return str(recording.form_scoring)
    by_text = [name for name in recording.scorings if scoring_named(name).reads == "text"]
    if not by_text:
        raise ValueError(
            f"{recording.path} holds texts, and {recording.task} is judged by "
            f"{', '.join(recording.scorings)}, which read none"
        )
    return by_text[0]


def _check_wordings(scoring: str, questions: Sequence[TaskQuestion], recording: Recording) -> None:
    """A scoring of every rotation is none of one answer, and some know but four letters."""
    for question in questions:
        try:
            wordings = scoring_named(scoring).wordings(question, 0)
        except ValueError as error:
            raise ValueError(f"{recording.path}: {question.id}: {error}") from error
        if len(wordings) > 1:
            raise ValueError(
                f"{recording.path}: scoring={scoring} needs an answer for each of {len(wordings)} "
                f"orders of the options of {question.id}, and there is one"
            )


def _check_read(
    answers: Mapping[str, Mapping[str, Said]], scoring: str, recording: Recording
) -> None:
    """Refuse a scoring that reads what no answer of a system holds, though it holds another."""
    for of in answers.values():
        holds = [one.text or one.losses or one.chosen is not None for one in of.values()]
        if any(holds) and not any(_usable(one, scoring) for one in of.values()):
            reads = scoring_named(scoring).reads
            there = "losses" if reads == "text" else "text"
            raise ValueError(
                f"{recording.path}: scoring={scoring} reads {reads}, and the answers hold {there} "
                "alone"
            )


def _usable(said: Said, scoring: str) -> bool:
    """Whether there is what the scoring reads; if not, the question has no answer."""
    if scoring_named(scoring).reads == "losses":
        return said.losses is not None
    return said.text is not None or said.chosen is not None or GRADE in said.more


def _line(
    system: str, question: TaskQuestion, scoring: str, recording: Recording
) -> dict[str, Any]:
    return {
        "id": question.id,
        "system": system,
        "task": recording.task,
        "task_version": recording.version,
        "protocol": PROTOCOL,
        "scoring": scoring,
        "presented": None,
        "question": question.to_dict(),
        "prompt": None,
        "answer": None,
        "error": None,
    }


def _answered(
    said: Said, question: TaskQuestion, scoring: str, recording: Recording
) -> dict[str, Any]:
    """What the line of an answered question has more: `answer`, `presented`, `grade`."""
    # A program shows options in the order of the file, unless the row says otherwise.
    order = list(said.order or range(len(question.options)))
    _check_fit(said, question, explicit=recording.scoring is not None)
    answer: dict[str, Any] = {"recorded": _kept(said, order)} if _kept(said, order) else {}
    grade = {GRADE: said.more[GRADE]} if GRADE in said.more else {}
    if scoring_named(scoring).reads == "losses":
        assert said.losses is not None
        losses: list[float | None] = [None] * len(order)
        for place, option in enumerate(order):
            loss = said.losses[place]
            losses[option] = loss if math.isfinite(loss) else None  # JSON has no other word for it
        return {"answer": {"text": said.text or "", "losses": losses} | answer} | grade
    text = said.text
    if text is None and said.chosen is not None:
        by_letter = shows_options(scoring_named(scoring), question)
        words = question.options[order[said.chosen]]
        text = f"({LETTERS[said.chosen]})" if by_letter else words
    presented = [order] if question.options else None
    text = text or ""  # of a graded answer that nobody kept
    answer |= {"text": text, "texts": [text], "losses": []}
    if question.options and said.order is None and said.text is not None:
        choose = scoring_named(scoring).choose
        if choose(question, text, order) != choose(question, text, order[::-1]):
            answer[ASSUMED] = True
    return {"answer": answer, "presented": presented} | grade


def _check_fit(said: Said, question: TaskQuestion, *, explicit: bool) -> None:
    """Losses and the chosen place must be of this question's options, and agree."""
    count = len(question.options)
    if said.losses is not None and len(said.losses) != count:
        raise ValueError(
            f"{said.where}: {len(said.losses)} losses for {count} options of {question.id}"
        )
    if said.chosen is None:
        return
    if said.chosen >= min(count, len(LETTERS)):
        raise ValueError(
            f"{said.where}: output={said.chosen}, from 0, is none of {count} options of "
            f"{question.id}"
        )
    if said.losses is None or explicit or not all(map(math.isfinite, said.losses)):
        return
    best = min(said.losses)
    if said.losses[said.chosen] != best:
        raise ValueError(
            f"{said.where}: output={said.chosen}, but the lowest loss is that of option "
            f"{said.losses.index(best)}, from 0: say which counts with scoring="
        )


def _kept(said: Said, order: Sequence[int]) -> dict[str, Any]:
    """What the other program recorded besides, so that its own number can be traced."""
    more: Mapping[str, Any] = {key: said.more[key] for key in said.more if key != GRADE}
    return {**more, **({} if said.chosen is None else {"chosen": order[said.chosen]})}


def _lost(path: Path, lost: Sequence[str], of: int) -> str:
    """One sentence for all of them, which the results then hold once."""
    names = ", ".join(map(quoted, lost[:_SHOWN]))
    more = ", ..." if len(lost) > _SHOWN else ""
    return f"{path} has no answer to {len(lost)} of {of} questions: {names}{more}"


def as_jsonl(lines: Sequence[Prediction]) -> str:
    """Lines as predictions.jsonl holds them."""
    return "".join(json.dumps(line) + "\n" for line in lines)
