"""V*Bench answers of ZoomEye's form that bring their questions along, judged without the benchmark.

Such a row is the annotation, with the true option first, and what the program chose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from seal.evaluation.recorded.answer_file import AnswerRow, answer_rows
from seal.evaluation.recorded.said import Recorded
from seal.evaluation.recorded.zoom_eye import ZOOM_EYE
from seal.evaluation.task import AnnotatedTarget, TaskQuestion
from seal.evaluation.tasks.entries import Entry
from seal.geometry import Box

_KEYS = ("input_image", "test_type", "question", "options", "target_object", "bbox")


def read_embedded(
    path: Path, questions: Sequence[TaskQuestion] | None, splits: Mapping[str, str]
) -> Recorded | None:
    """The questions in a file of answers, and the answers; None: it is another form, or the
    benchmark is at hand.

    splits: what the rows call a split (`test_type`) -> its name in the results.

    Raises:
        ValueError: a row that lacks a key, or two rows with different questions of one name.
    """
    if questions is not None or path.suffix.lower() not in (".jsonl", ".json"):
        return None
    rows = answer_rows(path)
    if not {*_KEYS} <= {*rows[0].content}:
        return None
    found: dict[str, TaskQuestion] = {}
    said = []
    for row in rows:
        question = _question(row, splits)
        if found.setdefault(question.id, question) != question:
            raise ValueError(f"{row.where}: {question.id} stands there twice, as two questions")
        said += ZOOM_EYE.read(row.content, row.where)
    return list(found.values()), said


def _question(row: AnswerRow, splits: Mapping[str, str]) -> TaskQuestion:
    if missing := [key for key in _KEYS if key not in row.content]:
        raise ValueError(f"{row.where} lacks {', '.join(missing)}")
    entry = Entry(row.where, row.content)
    category = entry.text("test_type")
    if category not in splits:
        raise entry.wrong("test_type", category, f"one of {', '.join(splits)}")
    image = entry.text("input_image")
    names, boxes = entry.texts("target_object"), entry.items("bbox")
    if len(names) != len(boxes):
        raise ValueError(
            f"{row.where}: {len(names)} target_object and {len(boxes)} bbox must be as many"
        )
    targets = tuple(
        AnnotatedTarget(name, (Box.from_xywh(*entry.box_numbers("bbox", box)),))
        for name, box in zip(names, boxes, strict=True)
    )
    return TaskQuestion(
        id=PurePosixPath(image).with_suffix("").as_posix(),
        text=entry.text("question"),
        image=image,
        options=entry.options("options"),
        answer=0,
        split=splits[category],
        targets=targets,
    )
