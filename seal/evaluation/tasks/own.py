"""One's own questions in a JSONL file: with options, or with right answers in words.

Each line is an object:

    {"id": "k1", "image": "photos/1.jpg", "question": "Which colour is the mug?",
     "options": ["red", "blue"], "answer": "blue", "category": "colour",
     "targets": [{"name": "mug", "boxes": [[40, 60, 60, 76]]}]}
    {"id": "k2", "image": "photos/1.jpg", "question": "What does the sign say?",
     "answers": ["exit", "way out"]}

`image` is relative to the file's folder; a question may have none. `answer` is the right option's
words, or its letter where no option reads so; `answers` are as many right answers as you like, any
of which counts. `category` names a split of the results. `targets` are what the question is about,
boxes as [x0, y0, x1, y1] in pixels; they are needed by the controls that know where to look, and
tell how often the search finds them. `meta` takes whatever else you want to keep.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seal.evaluation.benchmark_images import FolderImages
from seal.evaluation.judged import (
    INVALID,
    OVERALL,
    Judged,
    accuracy,
    by_split,
    judge_choice,
    share,
)
from seal.evaluation.task import AnnotatedTarget, Prediction, TaskQuestion
from seal.evaluation.tasks.entries import Entry
from seal.evaluation.tasks.spec import Read, TaskSpec
from seal.files.plain_text import read_text
from seal.geometry import Box
from seal.metrics.exact_match import exact_match
from seal.metrics.vqa_accuracy import vqa_accuracy
from seal.metrics.vqa_answers import comparable_answer
from seal.text.letters import LETTERS

FILE = "questions.jsonl"
_NEEDED = ("id", "question")
_KEYS = (*_NEEDED, "image", "options", "answer", "answers", "category", "targets", "meta")
_ANNOTATORS = 10  # labels of a question whose agreement VQA accuracy was made for


def read(path: Path) -> Read:
    """The file, or questions.jsonl in the folder."""
    file = path / FILE if path.is_dir() else path
    questions: dict[str, TaskQuestion] = {}
    lines: dict[str, int] = {}
    # Not `splitlines`: it also splits at U+2028 and the like, which may stand inside a string.
    for number, line in enumerate(read_text(file).split("\n"), start=1):
        if not line.strip():
            continue
        entry = Entry.parse(f"{file}:{number}", line, _NEEDED)
        question = _question(entry)
        if question.id in questions:
            taken = f"an id that line {lines[question.id]} has not"
            raise entry.wrong("id", question.id, taken)
        questions[question.id], lines[question.id] = question, number
    return list(questions.values()), FolderImages(file.parent)


def _question(entry: Entry) -> TaskQuestion:
    if unknown := [key for key in entry.content if key not in _KEYS]:
        raise ValueError(
            f"{entry.where} has {', '.join(unknown)}, which is none of {', '.join(_KEYS)}: put "
            "what is yours into meta"
        )
    content = entry.content
    name = content["id"]
    if isinstance(name, bool) or not isinstance(name, int | str) or not str(name).strip():
        raise entry.wrong("id", name, "a number or a text")
    category = entry.text("category") if "category" in content else ""
    if category == OVERALL:
        raise entry.wrong(
            "category", category, "another name: all questions together are called so"
        )
    meta = content.get("meta", {})
    if not isinstance(meta, dict):
        raise entry.wrong("meta", meta, "an object")
    options = entry.options("options") if "options" in content else ()
    return TaskQuestion(
        id=str(name),
        text=entry.text("question"),
        image=entry.text("image") if content.get("image") is not None else None,
        options=options,
        answer=_right_option(entry, options) if options else None,
        split=category,
        targets=tuple(_target(entry, target) for target in _list(entry, "targets")),
        meta=meta,
        labels=() if options else _labels(entry),
    )


def _right_option(entry: Entry, options: Sequence[str]) -> int:
    if "answers" in entry.content or "answer" not in entry.content:
        raise ValueError(f"{entry.where}: a question with options has one answer, under `answer`")
    right = entry.text("answer")
    if right in options:
        return options.index(right)
    words = [" ".join(option.split()).casefold() for option in options]
    if (told := " ".join(right.split()).casefold()) in words:
        return words.index(told)
    place = LETTERS.find(right) if len(right) == 1 else -1
    if not 0 <= place < len(options):
        raise entry.wrong("answer", right, "the words of an option, or its letter")
    return place


def _labels(entry: Entry) -> tuple[str, ...]:
    there = [key for key in ("answer", "answers") if key in entry.content]
    if len(there) != 1:
        raise ValueError(
            f"{entry.where}: give options with an answer, or answers in words, under one name"
        )
    if isinstance(entry.content[there[0]], str):
        return (entry.text(there[0]),)
    labels = entry.texts(there[0])
    if not labels:
        raise entry.wrong(there[0], labels, "at least one right answer")
    return tuple(labels)


def _list(entry: Entry, key: str) -> list[Any]:
    return entry.items(key) if key in entry.content else []


def _target(entry: Entry, content: Any) -> AnnotatedTarget:
    if not isinstance(content, dict) or not {"name"} <= {*content} <= {"name", "boxes", "group"}:
        raise entry.wrong("targets", content, "objects with name, boxes")
    target = Entry(f"{entry.where}: targets", {"boxes": [], **content})
    group = content.get("group", "")
    if not isinstance(group, str):
        raise target.wrong("group", group, "a text")
    boxes = tuple(_box(target, box) for box in target.items("boxes"))
    return AnnotatedTarget(target.text("name"), boxes, group)


def _box(entry: Entry, box: Any) -> Box:
    numbers = isinstance(box, list) and all(
        isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < math.inf for v in box
    )
    if not numbers or len(box) != 4 or not (box[0] < box[2] and box[1] < box[3]):
        raise entry.wrong("boxes", box, "[x0, y0, x1, y1] of some size, in pixels")
    return Box(*(float(edge) for edge in box))


def judge(question: TaskQuestion, line: Prediction) -> dict[str, Any]:
    """The option; or whether what was said is one of the labels, after VQA's normalization.

    `exact` is without it, but for case, blanks and a full stop at the end.
    """
    if question.options:
        return judge_choice(question, line)
    said = None if line["answer"] is None else line["answer"].get("text")
    if said is None or not said.strip():
        return dict(INVALID)
    right = comparable_answer(said) in map(comparable_answer, question.labels)
    score: dict[str, Any] = {
        "credit": float(right),
        "correct": right,
        "tie": False,
        "invalid": False,
        "chosen": said,
        "exact": exact_match(said, question.labels) == 1,
    }
    if len(question.labels) >= _ANNOTATORS:
        score["vqa_accuracy"] = vqa_accuracy(said, question.labels)
    return score


def metrics(judged: Sequence[Judged], seed: int) -> dict[str, dict[str, Any]]:
    """Accuracy by category; of answers in words also exact matches, and VQA accuracy where every
    question has the ten annotators that it was made for.
    """
    return {split: _metrics(of, seed) for split, of in by_split(judged).items()}


def _metrics(judged: Sequence[Judged], seed: int) -> dict[str, Any]:
    found = accuracy(judged, seed)
    in_words = [one for one in judged if not one.question.options]
    clusters = [one.question.cluster for one in in_words]
    invalid = sum(one.score["invalid"] for one in in_words)
    if in_words:
        exact = [float(one.score.get("exact", False)) for one in in_words]
        found["exact"] = share(exact, clusters, invalid=invalid, seed=seed).to_dict()
    if in_words and all(len(one.question.labels) >= _ANNOTATORS for one in in_words):
        credits = [one.score.get("vqa_accuracy", 0.0) for one in in_words]
        found["vqa_accuracy"] = share(credits, clusters, invalid=invalid, seed=seed).to_dict()
    return found


SPEC = TaskSpec(
    name="own",
    title="Your own questions about your own pictures, from a JSONL file.",
    files=f"a JSONL file of questions, or the folder that holds it as {FILE}; a line has id, "
    "question, image, and options with an answer, or answers",
    origin="https://jsonlines.org",
    licence="yours",
    counts={},
    scorings=("letter_or_short", "cyclic_or_short", "likelihood", "string", "free"),
    read=read,
    judge=judge,
    metrics=metrics,
)
