"""VisualProbe: free answers about small things in large photographs, judged right or wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seal.evaluation.benchmark_images import FolderImages
from seal.evaluation.judged import OVERALL, Judged, by_split
from seal.evaluation.judges.graded import count_ungraded, number_of, score_graded
from seal.evaluation.sources.json_rows import read_json_list
from seal.evaluation.task import Prediction, TaskQuestion
from seal.evaluation.tasks.entries import Entry
from seal.evaluation.tasks.spec import Read, TaskSpec
from seal.metrics.intervals import proportion

FILE = "val.json"
SPLITS = ("easy", "medium", "hard")
_FOLDER = re.compile(r"VisualProbe_(easy|medium|hard)", re.IGNORECASE)
_IMAGE = "<image>"  # stands before the question in the files


def read(path: Path) -> Read:
    """The folder that holds VisualProbe_Easy, VisualProbe_Medium and VisualProbe_Hard as they are
    on the hub (val.json and data/), or some of them; or one of these three.
    """
    if (path / FILE).is_file():
        root, folders = path.absolute().parent, [path.absolute()]
    else:
        inside = sorted(path.iterdir()) if path.is_dir() else []
        root, folders = path, [f for f in inside if _FOLDER.fullmatch(f.name)]
    if not folders or not all(_FOLDER.fullmatch(folder.name) for folder in folders):
        raise ValueError(
            f"{path}: expected folders VisualProbe_Easy, VisualProbe_Medium and VisualProbe_Hard "
            f"with {FILE} in each"
        )
    folders.sort(key=lambda folder: SPLITS.index(_split(folder)))
    questions: dict[str, TaskQuestion] = {}
    for folder in folders:
        for question in _read_split(folder):
            questions[question.id] = question
    return list(questions.values()), FolderImages(root)


def _split(folder: Path) -> str:
    found = _FOLDER.fullmatch(folder.name)
    assert found is not None
    return found[1].lower()


def _read_split(folder: Path) -> list[TaskQuestion]:
    rows = read_json_list(folder / FILE)
    rows.need("problem", "solution", "images")
    questions: dict[str, TaskQuestion] = {}
    for index, row in enumerate(rows):
        where = rows.where(index)
        entry = Entry(where, row)
        if missing := [key for key in ("problem", "solution", "images") if key not in row]:
            raise ValueError(f"{where} lacks {', '.join(missing)}")
        number = row.get("doc_id", index)
        if isinstance(number, bool) or not isinstance(number, int | str):
            raise entry.wrong("doc_id", number, "a number or a text")
        name = f"{_split(folder)}/{number}"
        if name in questions:
            raise entry.wrong("doc_id", number, "an id that no other question has")
        images = entry.texts("images")
        if len(images) != 1:
            raise entry.wrong("images", images, "one picture")
        text = entry.text("problem").replace(_IMAGE, "").strip()
        if not text:
            raise entry.wrong("problem", row["problem"], "a question")
        questions[name] = TaskQuestion(
            id=name,
            text=text,
            image=_below(folder, images[0]),
            split=_split(folder),
            labels=(entry.text("solution"),),
        )
    return list(questions.values())


def _below(folder: Path, image: str) -> str:
    """The picture, relative to the folder of folders: most entries name theirs, some do not."""
    inside = image if _FOLDER.fullmatch(image.split("/")[0]) is None else image.partition("/")[2]
    return f"{folder.name}/{inside}"


def judge(question: TaskQuestion, line: Prediction) -> dict[str, Any]:
    """1 for what the judge calls right, 0 for what it calls wrong."""
    return score_graded(line, number_of)


def metrics(judged: Sequence[Judged], seed: int) -> dict[str, dict[str, Any]]:
    """Accuracy by difficulty, and over all questions; the ungraded are not in it, but counted."""
    return {name: _split_metrics(of, seed) for name, of in by_split(judged).items()}


def _split_metrics(judged: Sequence[Judged], seed: int) -> dict[str, Any]:
    graded = [one for one in judged if one.score["credit"] is not None]
    accuracy = proportion(
        [one.score["correct"] for one in graded],
        invalid=sum(one.score["invalid"] for one in graded),
        clusters=[one.question.cluster for one in graded],
        seed=seed,
    )
    return {
        "accuracy": accuracy.to_dict(),
        "ungraded": count_ungraded([one.score for one in judged]),
    }


SPEC = TaskSpec(
    name="visual_probe",
    title="Free answers about small things in large photographs, judged right or wrong.",
    files=(
        "the folder with VisualProbe_Easy, VisualProbe_Medium and VisualProbe_Hard, each as "
        "`hf download Mini-o3/VisualProbe_Easy --repo-type dataset --local-dir "
        "FOLDER/VisualProbe_Easy` leaves it (val.json and data/)"
    ),
    origin="https://huggingface.co/Mini-o3",
    licence="not stated",
    counts={"easy": 141, "medium": 268, "hard": 106, OVERALL: 515},
    scorings=("free",),
    read=read,
    judge=judge,
    metrics=metrics,
)
