"""Files of free answers with their labels, ViCrop's own result files among them.

A file is a JSON list, as the original writes it, or JSONL. An entry names its question (id,
question_id), holds what was said (`original_answer` and `crop_answer`, which become the
systems `original` and `crop`; or text, prediction or output; or answer, where none of these is
there), and the labels; these, and the question, may stand in a second file whose entries have the
same names. Entries may name their image, whose questions then stand or fall together. Predictions
of our own benchmark runs are taken as well, their options as ViCrop writes V*Bench's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seal.evaluation.answer_scorers import Labels
from seal.evaluation.recorded.own_lines import check_line
from seal.evaluation.store import PREDICTIONS, json_line, numbered_lines
from seal.evaluation.task import Prediction, TaskQuestion
from seal.files.plain_text import read_text
from seal.text.letters import LETTERS
from seal.text.quote import quoted

VERSION = "2"
NAMES = ("id", "question_id")
PAIR = {"original_answer": "original", "crop_answer": "crop"}
TEXTS = ("text", "prediction", "output")
ANSWER = "answer"  # beside one of these it is the right one
IMAGES = ("image", "image_id", "image_path", "image_source")
LABELS = ("labels", "label", "answers")
OVERALL = "overall"
# What stands below the options of V*Bench: the scorer takes the last line for no option.
VSTAR_REQUEST = "Answer with the option's letter from the given choices directly."
_WAY = "give the file that has them as annotations="


@dataclass(frozen=True, slots=True)
class _Entry:
    where: str  # for messages
    content: Mapping[str, Any]

    @property
    def name(self) -> str | None:
        return next((str(self.content[key]) for key in NAMES if key in self.content), None)


def free_predictions(
    task: str, answers: Path, annotations: Path | None, *, name: str
) -> list[Prediction]:
    """One line an answer, with all that judging it needs.

    Args:
        task: one of `SCORERS`.
        answers: a file of answers, or a folder of ours with predictions.jsonl.
        annotations: questions and labels of entries that lack them; those that nobody answered
            count as well.
        name: of the system, where the file names none.

    Raises:
        ValueError: a file that is not as described; the message names file, line and key.
    """
    told: dict[str, _Entry] = {}
    for entry in _entries(annotations) if annotations is not None else ():
        if entry.name is None:
            raise ValueError(f"{entry.where} has none of {', '.join(NAMES)}")
        if entry.name in told:
            raise ValueError(
                f"{entry.where} is called {quoted(entry.name)}, as is {told[entry.name].where}: "
                "give each question an id of its own"
            )
        told[entry.name] = entry
    lines: list[Prediction] = []
    seen: set[tuple[str, str | None]] = set()
    for number, entry in enumerate(_entries(answers), start=1):
        if isinstance(entry.content.get("question"), dict):
            entry = _of_benchmark(entry)
        own = entry.name
        if told and own not in told:
            raise ValueError(f"{entry.where}: {quoted(own)} is no question of {annotations}")
        merged = {**(told[str(own)].content if told else {}), **entry.content}
        base = _base(task, own if own is not None else str(number), merged, entry.where)
        for system, text in _said(entry, name):
            if told and (system, own) in seen:
                raise ValueError(f"{entry.where} answers {quoted(own)} again as {quoted(system)}")
            # Some files of the original's name the image alone, which has several questions.
            unique = {"id": f"{own}#{number}"} if (system, own) in seen else {}
            seen.add((system, base["id"]))
            lines.append(base | unique | {"system": system, "text": text})
    if not lines:
        raise ValueError(f"{answers} holds no answers")
    return lines + list(_unanswered(task, lines, told))


def _unanswered(
    task: str, lines: Sequence[Prediction], told: Mapping[str, _Entry]
) -> Iterator[Prediction]:
    """A line without a text for each question that a system has not answered."""
    for system in dict.fromkeys(line["system"] for line in lines):
        answered = {line["id"] for line in lines if line["system"] == system}
        for name, entry in told.items():
            if name not in answered:
                base = _base(task, name, entry.content, entry.where)
                yield base | {"system": system, "text": None}


def _of_benchmark(entry: _Entry) -> _Entry:
    """A line of eval/benchmark with its options as lines of the question, in ViCrop's wording.

    The label stands there four times, as in ViCrop's file: its scorer counts 0.3 for each. Of
    several wordings the first is judged.
    """
    check_line(entry.content, entry.where, str(entry.content.get("task")))
    question = TaskQuestion.from_dict(entry.content["question"])
    if question.answer is None or not question.options:
        raise ValueError(f"{entry.where}: the question has no options to be judged by")
    orders = entry.content["presented"] or [[]]
    # Lines of before several wordings were possible have one order alone.
    order = (orders[0] if isinstance(orders[0], list) else orders) or range(len(question.options))
    lines = [f"({LETTERS[place]}) {question.options[i]}" for place, i in enumerate(order)]
    answer = entry.content["answer"]
    content = {
        "id": entry.content["id"],
        "system": entry.content["system"],
        "split": question.split,
        "image": question.image,
        "question": "\n".join([question.text, *lines, VSTAR_REQUEST]),
        "labels": [LETTERS[list(order).index(question.answer)]] * 4,
        "text": None if answer is None else answer["text"],
    }
    return _Entry(entry.where, content)


def _base(task: str, name: str, content: Mapping[str, Any], where: str) -> Prediction:
    split = content.get("split", content.get("category", ""))
    return {
        "id": name,
        "task": task,
        "task_version": VERSION,
        "split": split if isinstance(split, str) and split != OVERALL else "",
        "image": _image(content),
        "question": _question(task, content, where),
        "labels": _labels(content, where),
    }


def _entries(path: Path) -> Iterator[_Entry]:
    if path.is_dir():
        path = path / PREDICTIONS
    if not path.is_file():
        raise ValueError(f"{path} does not exist: give a JSON list or JSONL, or a run folder")
    if path.suffix == ".json":
        try:
            content = json.loads(read_text(path))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path} is not JSON: {error}") from error
        if not isinstance(content, list):
            raise ValueError(f"{path}: expected a list of objects, got a {type(content).__name__}")
        for number, entry in enumerate(content, start=1):
            if not isinstance(entry, dict):
                raise ValueError(f"{path}: entry {number} is {quoted(entry)}, not an object")
            yield _Entry(f"{path}: entry {number}", entry)
        return
    for number, line in numbered_lines(path):
        yield _Entry(f"{path}:{number}", json_line(path, number, line))


def _labels(content: Mapping[str, Any], where: str) -> Labels:
    key = next((key for key in LABELS if key in content), None)
    if key is None:
        raise ValueError(f"{where} has no labels: {_WAY}")
    labels = content[key]
    if isinstance(labels, str):
        return labels
    if not isinstance(labels, list) or not all(isinstance(v, str) for v in labels):
        raise ValueError(f"{where}: {key}={quoted(labels)}: expected a text or a list of texts")
    return labels


def _question(task: str, content: Mapping[str, Any], where: str) -> str:
    question = content.get("question", "")
    if not isinstance(question, str):
        raise ValueError(f"{where}: question={quoted(question)}: expected a text")
    if task == "vicrop_vstar" and not question:
        raise ValueError(f"{where} has no question, whose option lines are needed: {_WAY}")
    return question


def _image(content: Mapping[str, Any]) -> str | None:
    """What the question is about, by whatever name; None: the entry does not tell."""
    told = (content.get(key) for key in IMAGES)
    return next((str(v) for v in told if isinstance(v, str | int) and str(v).strip()), None)


def _said(entry: _Entry, name: str) -> Iterator[tuple[str, str | None]]:
    content = entry.content
    keys = {key: system for key, system in PAIR.items() if key in content}
    if not keys:
        there = [key for key in TEXTS if key in content] or [
            key for key in (ANSWER,) if key in content
        ]
        if not there:
            raise ValueError(f"{entry.where} has none of {', '.join([*PAIR, *TEXTS, ANSWER])}")
        if len(there) > 1:
            raise ValueError(f"{entry.where} has {' and '.join(there)}: which of them was said?")
        keys = {there[0]: str(content.get("system", name))}
    for key, system in keys.items():
        text = content[key]
        if text is not None and not isinstance(text, str):
            raise ValueError(f"{entry.where}: {key}={quoted(text)}: expected a text")
        yield system, text
