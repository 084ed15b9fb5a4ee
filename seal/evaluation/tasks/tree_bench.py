"""TreeBench: questions whose evidence is boxes, about photographs crowded with things."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seal.evaluation.judged import OVERALL, Judged, accuracy, by_split, judge_choice
from seal.evaluation.scorings.file_order import SHUFFLED
from seal.evaluation.shown_systems import search_part
from seal.evaluation.sources.pictures import row_images
from seal.evaluation.sources.read import read_rows as rows_of_file
from seal.evaluation.sources.rows import Rows
from seal.evaluation.task import AnnotatedTarget, Prediction, TaskQuestion
from seal.evaluation.tasks.files import only_file
from seal.evaluation.tasks.row_entry import Ids, RowEntry
from seal.evaluation.tasks.spec import Read, TaskSpec
from seal.geometry import Box
from seal.metrics.boxes import best_iou
from seal.metrics.intervals import mean
from seal.text.letters import LETTERS

COLUMNS = ("index", "question", "answer", "category", "target_instances", "image")
KINDS = ("Perception", "Reasoning")
_CHOICES = "multi-choice options"
_FAR = 1_000_000  # pixels
_LINE = re.compile(r"\s*\(?([A-Z])[).:]\s*(\S.*?)\s*")
# As `compute_box_iou` of inference_treebench.py reads boxes in a text: whole numbers, no blanks.
_TOLD_BOX = re.compile(r"<box>(.*?)</box>", re.DOTALL)
_EDGES = re.compile(r"\s*\[(\d+),(\d+),(\d+),(\d+)\]")


def read(path: Path) -> Read:
    """TreeBench.tsv, or the folder it lies in."""
    return read_rows(rows_of_file(only_file(path, "*.tsv")))


def read_rows(rows: Rows) -> Read:
    """Rows of the official table or of the hub."""
    rows.need(*COLUMNS)
    ids = Ids()
    questions: list[TaskQuestion] = []
    cells: dict[str, tuple[int, str]] = {}
    for i in range(len(rows)):
        entry = RowEntry(rows, i)
        name = ids.new(entry, "index", entry.text("index"))
        options = entry.listed_options() if entry.told("A") is not None else _choices(entry)
        kind, _, subtask = entry.text("category").partition("/")
        if kind not in KINDS or not subtask:
            told = entry.content["category"]
            raise entry.wrong("category", told, "Perception/... or Reasoning/...")
        cells[name] = i, "image"
        questions.append(
            TaskQuestion(
                id=name,
                text=entry.text("question"),
                image=name,
                options=options,
                answer=entry.letter("answer", len(options)),
                split=f"{kind}/{subtask}",
                meta={SHUFFLED: True},
                targets=tuple(
                    # The file has boxes alone; their names are our numbers.
                    AnnotatedTarget(f"target {number}", (box,))
                    for number, box in enumerate(_boxes(entry), start=1)
                ),
            )
        )
    return questions, row_images(rows, cells)


def _choices(entry: RowEntry) -> tuple[str, ...]:
    """Lettered lines, the other form in which the table has the options."""
    text = entry.text(_CHOICES) if _CHOICES in entry.content else ""
    found = [_LINE.fullmatch(line) for line in text.split("\n") if line.strip()]
    options = [
        line[2]
        for place, line in enumerate(found)
        if line and line[1] == LETTERS[place : place + 1]
    ]
    if len(options) < 2 or len(options) != len(found):
        raise entry.wrong(_CHOICES, text, "columns A, B, ..., or lines of options that begin so")
    return tuple(options)


def _boxes(entry: RowEntry) -> list[Box]:
    """[[x0, y0, x1, y1], ...] in pixels, as a list or the text of one."""
    told: Any = entry.content["target_instances"]
    value = told
    if isinstance(told, str):
        try:
            value = ast.literal_eval(told.strip())  # literals only: nothing is run
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            value = None
    if not isinstance(value, list | tuple) or not all(map(_is_box, value)):
        wanted = "a list of boxes [x0, y0, x1, y1], x0 < x1 and y0 < y1"
        raise entry.wrong("target_instances", told, wanted)
    return [Box(*edges) for edges in value]


def _is_box(edges: object) -> bool:
    if not isinstance(edges, list | tuple) or len(edges) != 4:
        return False
    if not all(type(edge) in (int, float) and abs(edge) < _FAR for edge in edges):
        return False  # NaN is not below anything
    return bool(edges[0] < edges[2] and edges[1] < edges[3])


def judge(question: TaskQuestion, line: Prediction) -> dict[str, Any]:
    """The choice, and `iou`: the mean over target boxes of the best IoU with the boxes given.

    The boxes are those of the searches that found something; of another program's answer, those
    it tells in its text, within <box> and </box>. No answer has no box, which earns 0. None where
    none could be given: the system does not search; so is the mean over no target boxes.
    """
    return judge_choice(question, line) | {"iou": _iou(question, line)}


def _iou(question: TaskQuestion, line: Prediction) -> float | None:
    answer = line["answer"]
    targets = [box for target in question.targets for box in target.boxes]
    if not targets or search_part(line["system"]) == "none":
        return None
    given: list[Box] = []
    if answer is not None and "searches" in answer:
        given = [
            Box(*edges)
            for search in answer["searches"]
            if search["found"]
            for edges in search["boxes"]
        ]
    elif answer is not None:
        told = map(_EDGES.match, _TOLD_BOX.findall(answer.get("text") or ""))
        edges = [tuple(map(int, found.groups())) for found in told if found]
        given = [Box(x0, y0, x1, y1) for x0, y0, x1, y1 in edges if x0 < x1 and y0 < y1]
    return sum(best_iou(target, given) for target in targets) / len(targets)


def splits_of(question: TaskQuestion) -> tuple[str, ...]:
    """Its sub-task, Perception or Reasoning, and all."""
    return question.split, question.split.partition("/")[0], OVERALL


def metrics(judged: Sequence[Judged], seed: int) -> dict[str, dict[str, Any]]:
    """Accuracy by sub-task and over all questions; `mIoU`, the mean of `iou` over questions.

    As inference_treebench.py of Haochen-Wang409/TreeVGR, where no box at all is an IoU of 0. It is
    left out for systems that never give a box.
    """
    splits = by_split(judged, splits_of)
    last = [split for split in (*KINDS, OVERALL) if split in splits]
    ordered = [*(split for split in splits if split not in last), *last]
    gives_boxes = any(j.score["iou"] or "searches" in (j.line["answer"] or {}) for j in judged)
    found = {}
    for split in ordered:
        found[split] = accuracy(splits[split], seed)
        ious = [j for j in splits[split] if j.score["iou"] is not None]
        if gives_boxes and ious:
            values = [j.score["iou"] for j in ious]
            clusters = [j.question.cluster for j in ious]
            found[split]["mIoU"] = mean(values, clusters=clusters, seed=seed).to_dict()
    return found


SPEC = TaskSpec(
    name="tree_bench",
    title="TreeBench: subtle things in crowded photographs, with boxes of the evidence",
    files="TreeBench.tsv, or its folder",
    hub="HaochenWang/TreeBench",
    origin="https://huggingface.co/datasets/HaochenWang/TreeBench",
    licence="not stated; photographs of SA-1B (research only)",
    counts={
        "Perception/Attributes": 29,
        "Perception/Material": 13,
        "Perception/Physical State": 23,
        "Perception/Object Retrieval": 16,
        "Perception/OCR": 68,
        "Reasoning/Perspective Transform": 85,
        "Reasoning/Ordering": 57,
        "Reasoning/Contact and Occlusion": 41,
        "Reasoning/Spatial Containment": 29,
        "Reasoning/Comparison": 44,
        OVERALL: 405,
    },
    scorings=("letter_tree_bench", "likelihood", "letter", "letter_cyclic", "string"),
    read=read,
    read_rows=read_rows,
    judge=judge,
    metrics=metrics,
    splits_of=splits_of,
)
