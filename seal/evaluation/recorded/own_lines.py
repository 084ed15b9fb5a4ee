"""Read the prediction lines of a run of ours, and refuse what no run of ours has written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from seal.evaluation.scorings.named import scoring_named
from seal.evaluation.scorings.scoring import Scoring
from seal.evaluation.store import PREDICTIONS, json_line, numbered_lines
from seal.evaluation.task import Prediction, TaskQuestion
from seal.text.letters import LETTERS
from seal.text.quote import quoted

_RANKS = "predictions.rank*.jsonl"
_TEXTS = ("id", "system", "task", "protocol", "scoring")


def is_own(path: Path) -> bool:
    """Whether these are predictions of ours: a run's folder, or a file of such lines."""
    if path.is_dir():
        return (path / PREDICTIONS).is_file() or next(path.glob(_RANKS), None) is not None
    if path.suffix.lower() != ".jsonl" or not path.is_file():
        return False
    for number, line in numbered_lines(path):
        content = json_line(path, number, line)
        return "scoring" in content and isinstance(content.get("question"), dict)
    return False


def own_lines(path: Path, task: str) -> list[Prediction]:
    """Every line, shards included, each checked; a torn last line of a folder is left out.

    Raises:
        ValueError: a line of another task, or one that no run writes; names file and line.
    """
    lines = list(_lines(path, task))
    if not lines:
        raise ValueError(f"{path} holds no answers")
    return lines


def _lines(path: Path, task: str) -> Iterator[Prediction]:
    folder = path.is_dir()
    files = [path / PREDICTIONS, *sorted(path.glob(_RANKS))] if folder else [path]
    for file in filter(Path.is_file, files):
        for number, line in numbered_lines(file):
            if folder and not line.endswith("\n"):  # what a killed process left
                continue
            content = json_line(file, number, line)
            check_line(content, f"{file}:{number}", task)
            yield content


def check_line(line: Mapping[str, Any], where: str, task: str) -> None:
    """Refuse a line that would be judged wrongly, or not at all.

    Raises:
        ValueError: names what is wrong.
    """
    for key in _TEXTS:
        if not isinstance(line.get(key), str):
            raise ValueError(f"{where}: {key}={quoted(line.get(key))}: expected a text")
    if line["task"] != task:
        raise ValueError(f"{where} is of another task: set task={quoted(line['task'])}")
    if line.get("error") is not None and not isinstance(line["error"], str):
        raise ValueError(f"{where}: error={quoted(line['error'])}: expected a text or null")
    question = _question(line, where)
    try:
        scoring = scoring_named(line["scoring"].partition("+")[0])
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    orders = _orders(line.get("presented"), len(question.options), where)
    if missing := [key for key in ("presented", "answer", "error") if key not in line]:
        raise ValueError(f"{where} lacks {', '.join(missing)}")
    if (answer := line["answer"]) is None:
        return
    if not isinstance(answer, dict):
        raise ValueError(f"{where}: answer={quoted(answer)}: expected an object or null")
    if scoring.reads == "losses" and question.options:
        _check_losses(answer.get("losses"), len(question.options), where)
        return
    _check_texts(answer, orders, where)
    if question.options and not all(orders or [[]]) and shows_options(scoring, question):
        raise ValueError(
            f"{where}: scoring={scoring.name} reads letters, and presented={orders or None} does "
            "not say which option stood where"
        )


def shows_options(scoring: Scoring, question: TaskQuestion) -> bool:
    """Whether the scoring puts the options as a list, so that a letter means one of them."""
    return any(wording.order for wording in scoring.wordings(question, 0))


def _question(line: Mapping[str, Any], where: str) -> TaskQuestion:
    content = line.get("question")
    if not isinstance(content, dict):
        raise ValueError(f"{where}: question={quoted(content)}: expected an object")
    try:
        question = TaskQuestion.from_dict(content)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{where}: question is none that a run writes: {error!r}") from error
    count = len(question.options)
    right = question.answer
    wrong = [
        key
        for key, good in (
            ("id", question.id == line["id"]),
            ("text", isinstance(question.text, str)),
            ("split", isinstance(question.split, str)),
            ("image", question.image is None or isinstance(question.image, str)),
            ("picture", isinstance(question.picture, str)),
            ("meta", isinstance(question.meta, dict)),
            ("options", all(isinstance(option, str) for option in question.options)),
            ("options", count <= len(LETTERS)),
            ("labels", all(isinstance(label, str) for label in question.labels)),
            ("answer", right is None or (type(right) is int and 0 <= right < count)),
        )
        if not good
    ]
    if wrong:
        shown = quoted(content.get(wrong[0]))
        raise ValueError(f"{where}: question.{wrong[0]}={shown}, which no run writes")
    return question


def _orders(presented: Any, count: int, where: str) -> list[list[int]]:
    """The orders of the options shown, one a wording; the form of before had one alone."""
    if presented is None:
        return []
    orders = presented
    if isinstance(presented, list) and presented and not isinstance(presented[0], list):
        orders = [presented]
    good = isinstance(orders, list) and all(
        isinstance(order, list) and (not order or _is_order(order, count)) for order in orders
    )
    if not good:
        raise ValueError(
            f"{where}: presented={quoted(presented)}: expected orders of {count} options, from 0"
        )
    return list(orders)


def _is_order(order: list[Any], count: int) -> bool:
    whole = all(type(place) is int for place in order)
    return whole and sorted(order) == list(range(count))


def _check_losses(losses: Any, count: int, where: str) -> None:
    good = isinstance(losses, list) and all(
        loss is None or (isinstance(loss, int | float) and not isinstance(loss, bool))
        for loss in losses
    )
    if not good or len(losses) != count:
        raise ValueError(f"{where}: losses={quoted(losses)}: expected numbers of {count} options")


def _check_texts(answer: Mapping[str, Any], orders: list[list[int]], where: str) -> None:
    texts = answer.get("texts") or [answer.get("text")]
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{where}: what was said is {quoted(texts)}: expected texts")
    if len(texts) != len(orders or [[]]):
        raise ValueError(
            f"{where}: {len(texts)} texts for {len(orders or [[]])} orders of the options"
        )
