"""LLaVA-Bench (in the wild): 60 questions in free words, graded beside a reference answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from seal.evaluation.benchmark_images import FolderImages
from seal.evaluation.judged import OVERALL, Judged, by_split
from seal.evaluation.judges.graded import count_ungraded, number_of, score_graded
from seal.evaluation.sources.json_rows import read_json_lines
from seal.evaluation.sources.row_pictures import shared_pictures
from seal.evaluation.sources.rows import Rows
from seal.evaluation.task import Prediction, TaskQuestion
from seal.evaluation.tasks.entries import Entry
from seal.evaluation.tasks.llava_reviews import read_reviews
from seal.evaluation.tasks.row_entry import Ids
from seal.evaluation.tasks.spec import Read, TaskSpec
from seal.metrics.intervals import mean, ratio
from seal.metrics.metric import Metric

QUESTIONS, CONTEXT, ANSWERS = "questions.jsonl", "context.jsonl", "answers_gpt4.jsonl"
CATEGORIES = ("conv", "detail", "complex")
HIGHEST = 10.0  # of a grade; the lowest is 1


def read(path: Path) -> Read:
    """The folder with the official questions, descriptions, reference answers and images/."""
    contexts = _by(path / CONTEXT, "image", "caption")
    references = _by(path / ANSWERS, "question_id", "text")
    rows = read_json_lines(path / QUESTIONS)
    rows.need("question_id", "image", "text", "category")
    questions: dict[str, TaskQuestion] = {}
    for index, row in enumerate(rows):
        entry = Entry(rows.where(index), row)
        name, image = _name(entry, "question_id"), entry.text("image")
        if name in questions:
            raise entry.wrong("question_id", name, "an id that no other question has")
        if image not in contexts:
            raise entry.wrong("image", image, f"one that {path / CONTEXT} describes")
        if name not in references:
            raise entry.wrong("question_id", name, f"one that {path / ANSWERS} answers")
        context = _context(contexts[image], "caption")
        reference = references[name].text("text")
        questions[name] = _question(entry, name, "text", image, context, reference)
    folder = path / "images"
    return list(questions.values()), FolderImages(folder if folder.is_dir() else path)


def read_rows(rows: Rows) -> Read:
    """Rows of the hub's lmms-lab/llava-bench-in-the-wild."""
    rows.need("question_id", "image", "question", "category", "caption", "gpt_answer")
    keys = [column for column in rows.columns if column != "image"]
    ids = Ids()
    questions: list[TaskQuestion] = []
    for index, row in enumerate(rows):
        entry = Entry(rows.where(index), {key: row[key] for key in keys})
        name = ids.new(entry, "question_id", _name(entry, "question_id"))
        context, reference = _context(entry, "caption"), entry.text("gpt_answer")
        questions.append(_question(entry, name, "question", name, context, reference))
    shown, pictures = shared_pictures(rows, [question.id for question in questions])
    return [replace(q, image=name) for q, name in zip(questions, shown, strict=True)], pictures


def _by(path: Path, key: str, *others: str) -> dict[str, Entry]:
    rows = read_json_lines(path)
    rows.need(key, *others)
    found: dict[str, Entry] = {}
    for index, row in enumerate(rows):
        entry = Entry(rows.where(index), row)
        name = _name(entry, key)
        if name in found:
            raise entry.wrong(key, name, f"another than that of {found[name].where}")
        found[name] = entry
    return found


def _name(entry: Entry, key: str) -> str:
    value = entry.content.get(key)
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).strip():
        raise entry.wrong(key, value, "a number or a text")
    return str(value)


def _context(entry: Entry, key: str) -> list[str]:
    """The sentences about a picture; the hub's rows have them as one text."""
    value = entry.content.get(key)
    return [entry.text(key)] if isinstance(value, str) else entry.texts(key)


def _question(
    entry: Entry, name: str, text_key: str, image: str, context: list[str], reference: str
) -> TaskQuestion:
    category = entry.text("category")
    if category not in CATEGORIES:
        raise entry.wrong("category", category, f"one of {', '.join(CATEGORIES)}")
    if not context:
        raise entry.wrong("caption", context, "a description of the picture")
    return TaskQuestion(
        id=name,
        text=entry.text(text_key),
        image=image,
        split=category,
        labels=(reference,),
        meta={"context": context},
    )


def judge(question: TaskQuestion, line: Prediction) -> dict[str, Any]:
    """The answer's grade as a share of the highest; `chosen` holds the reference's as well."""
    return score_graded(line, _answer_share)


def _answer_share(pair: Any) -> float:
    reference, answer = map(number_of, pair)
    return answer / HIGHEST if 0 <= reference <= HIGHEST else math.nan


def metrics(judged: Sequence[Judged], seed: int) -> dict[str, dict[str, Any]]:
    """By category and overall.

    `relative`: the sum of the answers' grades over that of the references'. A question to which
    nothing was said counts as an answer of 0 beside a reference of the usual grade. `official` is
    what the official summary prints, to a tenth of a percent; it is there where all are answered.
    """
    return {name: _split_metrics(of, seed) for name, of in by_split(judged).items()}


def _split_metrics(judged: Sequence[Judged], seed: int) -> dict[str, Any]:
    graded = [one for one in judged if one.score["credit"] is not None]
    pairs = [one.score["chosen"] for one in graded if not one.score["invalid"]]
    usual = float(np.mean([reference for reference, _ in pairs])) if pairs else 0.0
    invalid = len(graded) - len(pairs)
    both = [[usual, 0.0] if one.score["invalid"] else one.score["chosen"] for one in graded]
    references, answers = [pair[0] for pair in both], [pair[1] for pair in both]
    clusters = [one.question.cluster for one in graded]
    if any(references):
        relative = ratio(answers, references, invalid=invalid, clusters=clusters, seed=seed)
    else:
        relative = Metric(None, 0, invalid)
    printed = _printed(pairs) if pairs and not invalid else None
    grades = mean(answers, invalid=invalid, clusters=clusters, seed=seed)
    return {
        "relative": relative.to_dict(),
        "official": Metric(printed, len(pairs), invalid).to_dict(),
        "answer_grade": grades.to_dict(),
        "reference_grade": mean(references, clusters=clusters, seed=seed).to_dict(),
        "ungraded": count_ungraded([one.score for one in judged]),
    }


def _printed(pairs: Sequence[Sequence[float]]) -> float | None:
    """As llava/eval/summarize_gpt_review.py: both means to three digits, then their ratio.

    None: all references have a grade of 0, which no ratio can be of.
    """
    reference, answer = (round(float(value), 3) for value in np.asarray(pairs).mean(0))
    return None if reference == 0 else round(answer / reference * 100, 1) / 100


SPEC = TaskSpec(
    name="llava_bench",
    title="Questions about photographs in free words, graded beside a reference answer.",
    files=f"the folder with {QUESTIONS}, {CONTEXT}, {ANSWERS} and images/",
    hub="lmms-lab/llava-bench-in-the-wild",
    origin="https://huggingface.co/datasets/liuhaotian/llava-bench-in-the-wild",
    licence="Apache-2.0",
    counts={"conv": 17, "detail": 15, "complex": 28, OVERALL: 60},
    scorings=("free",),
    read=read,
    read_rows=read_rows,
    judge=judge,
    metrics=metrics,
    main="relative",
    recorded=read_reviews,
)
