"""MM-Vet: 218 questions in free words that need several capabilities at once, graded by a judge."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from seal.evaluation.benchmark_images import FolderImages
from seal.evaluation.judged import OVERALL, Judged, by_split
from seal.evaluation.judges.graded import count_ungraded, number_of, score_graded, several_runs
from seal.evaluation.sources.row_pictures import shared_pictures
from seal.evaluation.sources.rows import Rows
from seal.evaluation.task import Prediction, TaskQuestion
from seal.evaluation.tasks.entries import Entry
from seal.evaluation.tasks.mm_vet_grades import read_grades
from seal.evaluation.tasks.named_entries import named_entry, read_named
from seal.evaluation.tasks.row_entry import Ids
from seal.evaluation.tasks.spec import Read, TaskSpec
from seal.metrics.intervals import mean
from seal.metrics.metric import Metric

FILE = "mm-vet.json"
_KEYS = ("imagename", "question", "answer", "capability")
CAPABILITIES = ("rec", "ocr", "know", "gen", "spat", "math")  # as the official table lists them


def read(path: Path) -> Read:
    """mm-vet.json, or the folder that holds it, and images/ beside it."""
    file = path / FILE if path.is_dir() else path
    questions = [_question(entry, name, entry.text("imagename")) for name, entry in _entries(file)]
    folder = file.parent / "images"
    return questions, FolderImages(folder if folder.is_dir() else file.parent)


def _entries(file: Path) -> Iterator[tuple[str, Entry]]:
    for name, content in read_named(file).items():
        yield name, named_entry(file, name, content, _KEYS)


def read_rows(rows: Rows) -> Read:
    """Rows of the hub's lmms-lab/MMVet; its capabilities are one text, with commas."""
    rows.need("question_id", "image", "question", "answer", "capability")
    ids = Ids()
    questions: list[TaskQuestion] = []
    for index, row in enumerate(rows):
        small = {key: row[key] for key in ("question_id", "question", "answer")}
        listed = row["capability"]
        if isinstance(listed, str):
            listed = [name.strip() for name in listed.split(",")]
        entry = Entry(rows.where(index), small | {"capability": listed})
        name = ids.new(entry, "question_id", entry.text("question_id"))
        questions.append(_question(entry, name, None))
    shown, pictures = shared_pictures(rows, [question.id for question in questions])
    return [replace(q, image=name) for q, name in zip(questions, shown, strict=True)], pictures


def _question(entry: Entry, name: str, image: str | None) -> TaskQuestion:
    capabilities = entry.texts("capability")
    unknown = [one for one in capabilities if one not in CAPABILITIES]
    if unknown or not capabilities or len(set(capabilities)) != len(capabilities):
        raise entry.wrong("capability", capabilities, f"some of {', '.join(CAPABILITIES)}")
    answer = entry.text("answer")
    labels = tuple(one.strip() for one in answer.split("<OR>"))
    if not all(part.strip() for one in labels for part in one.split("<AND>")):
        raise entry.wrong("answer", answer, "words between <OR> and <AND>")
    number = re.fullmatch(r"v1_(\d+)", name)
    return TaskQuestion(
        id=name,
        text=entry.text("question"),
        image=image,
        labels=labels,
        meta={"capability": [one for one in CAPABILITIES if one in capabilities]}
        # Answer files of LLaVA's form number the questions.
        | ({"question_id": int(number[1])} if number else {}),
    )


def judge(question: TaskQuestion, line: Prediction) -> dict[str, Any]:
    """The grade, from 0 to 1; of several runs, their mean."""
    return score_graded(line, number_of)


def splits_of(question: TaskQuestion) -> tuple[str, ...]:
    """Each capability that a question needs, all of them together, and overall."""
    capabilities = question.meta["capability"]
    return (*capabilities, "_".join(["only", *capabilities]), OVERALL)


def metrics(judged: Sequence[Judged], seed: int) -> dict[str, dict[str, Any]]:
    """By capability, by the exact combination of capabilities, and overall.

    `score` is the mean grade; `official` is what the official evaluator prints for it, to a tenth
    of a percent. The ungraded are in neither, but counted.
    """
    groups = by_split(judged, splits_of)
    combinations = [name for name in groups if name not in (*CAPABILITIES, OVERALL)]
    combinations.sort(key=lambda name: -len(groups[name]))
    names = [*(name for name in CAPABILITIES if name in groups), *combinations, OVERALL]
    return {
        name: _split_metrics(groups[name], seed) | (_runs(groups[name]) if name == OVERALL else {})
        for name in names
        if name in groups
    }


def _split_metrics(judged: Sequence[Judged], seed: int) -> dict[str, Any]:
    graded = [one for one in judged if one.score["credit"] is not None]
    invalid = sum(one.score["invalid"] for one in graded)
    score = mean(
        [one.score["credit"] for one in graded],
        invalid=invalid,
        clusters=[one.question.cluster for one in graded],
        seed=seed,
    )
    runs = _by_run(graded)
    printed = None if runs is None else _printed(runs)
    return {
        "score": score.to_dict(),
        "official": Metric(printed, len(graded), invalid).to_dict(),
        "ungraded": count_ungraded([one.score for one in judged]),
    }


def _by_run(graded: Sequence[Judged]) -> list[float] | None:
    """The mean in percent of each run; None: there is none, or some were graded more often."""
    scores = [several_runs(one.line) or [] for one in graded]
    runs = {len(of) for of in scores if of}
    if len(runs) != 1:
        return None
    (count,) = runs
    # In the evaluator's order of operations: a tenth may hang on the last digit.
    totals = [0.0] * count
    for of in scores:
        for run in range(count):
            totals[run] += of[run] if of else 0.0
    return [float(value) for value in np.array(totals) / len(scores) * 100]


def _printed(runs: Sequence[float]) -> float:
    """Rounded as the evaluator rounds, to a tenth of a percent; as a fraction."""
    return float(round(np.array(runs).mean(), 1)) / 100


def _runs(judged: Sequence[Judged]) -> dict[str, Any]:
    """How far several runs of the judge lie apart; `official` as the evaluator prints it."""
    runs = _by_run([one for one in judged if one.score["credit"] is not None])
    if runs is None:
        return {}
    spread = float(np.array(runs).std())
    return {
        "std_of_runs": Metric(spread / 100, len(runs)).to_dict(),
        "official_std": float(round(spread, 1)) / 100,
        "official_runs": [float(value) / 100 for value in np.round(runs, 1)],
    }


SPEC = TaskSpec(
    name="mm_vet",
    title="Questions in free words that need several capabilities at once, graded by a judge.",
    files=f"the folder with {FILE} and images/ (mm-vet.zip of the official release)",
    hub="lmms-lab/MMVet",
    origin="https://github.com/yuweihao/MM-Vet",
    licence="non-commercial research and education only",
    counts={OVERALL: 218},
    scorings=("free",),
    read=read,
    read_rows=read_rows,
    judge=judge,
    metrics=metrics,
    main="score",
    splits_of=splits_of,
    recorded=read_grades,
)
