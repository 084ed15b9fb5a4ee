"""TreeBench: letters by sub-task, and how well the boxes that a search found cover the evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from option_lines import lines_of, picture, right, table, written_line

from seal.evaluation.named_tasks import task_named
from seal.evaluation.task import TaskQuestion
from seal.text.letters import LETTERS

SPEC = task_named("TreeBench")
COLUMNS = ["index", "image", "question", "A", "B", "answer", "category", "target_instances"]
BOXES = [[[0, 0, 10, 10], [20, 20, 40, 30]], [[5, 5, 15, 15]]]
KINDS = ["Perception/OCR", "Reasoning/Ordering"]


def rows(**change: Any) -> list[list[Any]]:
    made = [
        [i, picture(), f"Which is {i}?", "left", "right", "AB"[i], KINDS[i], str(BOXES[i])]
        for i in range(2)
    ]
    for column, value in change.items():
        made[1][COLUMNS.index(column)] = value
    return made


def questions(folder: Path, **change: Any) -> list[TaskQuestion]:
    return SPEC.task(str(table(folder / "TreeBench.tsv", COLUMNS, rows(**change)))).questions()


def area_iou(a: list[float], b: list[float]) -> float:
    """By counting cells of a grid: another way than the code under test."""
    grid = np.zeros((2, 60, 60), bool)
    for layer, (x0, y0, x1, y1) in zip(grid, (a, b), strict=True):
        layer[int(y0) : int(y1), int(x0) : int(x1)] = True
    return float((grid[0] & grid[1]).sum() / (grid[0] | grid[1]).sum())


def searched(question: TaskQuestion, boxes: list[list[list[int]]], text: str = "A") -> Any:
    searches = [
        {"found": bool(of), "boxes": of, "num_steps": 1, "path": [{}], "calls": {"detect": 1}}
        for of in boxes
    ]
    return written_line(question, text, "letter_tree_bench", searches=searches)


def test_miou_is_the_mean_over_questions_of_the_best_overlap_with_each_target(
    tmp_path: Path,
) -> None:
    asked = questions(tmp_path)
    given = [[[0, 0, 10, 5], [30, 20, 40, 30]], [[50, 50, 55, 55]]]  # of two searches
    lines = [searched(asked[0], [given[0][:1], given[0][1:] + given[1]]), searched(asked[1], [[]])]
    found = SPEC.task("").metrics(lines)
    best = [max(area_iou(t, b) for b in given[0] + given[1]) for t in BOXES[0]]
    assert best == [0.5, 0.5]
    assert found["Perception/OCR"]["mIoU"]["value"] == np.mean(best)
    assert found["Reasoning"]["mIoU"]["value"] == 0  # searched, found nothing
    assert found["overall"]["mIoU"]["value"] == np.mean([0.5, 0]) == 0.25
    assert found["overall"]["mIoU"]["n"] == 2


def test_boxes_that_another_program_tells_in_its_text_count(tmp_path: Path) -> None:
    asked = questions(tmp_path)
    told = (
        "<think><box>[0,0,10,5]</box> <box>[9, 9, 1, 1]</box> <box>[3,3,2,2] "
        "<box>[5,5,15,15]</box></think><answer>B</answer>"  # what is not closed hides the next
    )
    lines = [written_line(q, told, "letter_tree_bench") for q in asked]
    found = SPEC.task("").metrics(lines)
    iou = [np.mean([0.5, 0]), area_iou(BOXES[1][0], [0, 0, 10, 5])]
    assert found["overall"]["mIoU"]["value"] == pytest.approx(np.mean(iou))
    assert found["overall"]["accuracy"]["value"] == 0.5
    plain = SPEC.task("").metrics(lines_of(asked, right, "letter_tree_bench"))
    assert "mIoU" not in plain["overall"] and plain["overall"]["accuracy"]["value"] == 1


def test_a_question_without_an_answer_has_no_box(tmp_path: Path) -> None:
    asked = questions(tmp_path)
    lines = [searched(asked[0], [BOXES[0]]), searched(asked[1], []) | {"answer": None}]
    found = SPEC.task("").metrics(lines)
    assert found["overall"]["mIoU"]["value"] == 0.5 and found["overall"]["mIoU"]["n"] == 2
    lost = [line | {"answer": None} for line in lines]
    assert "mIoU" not in SPEC.task("").metrics(lost)["overall"]


def test_a_system_that_never_looks_has_no_miou(tmp_path: Path) -> None:
    lines = [searched(q, []) | {"system": "none"} for q in questions(tmp_path)]
    assert "mIoU" not in SPEC.task("").metrics(lines)["overall"]


def test_splits_are_sub_tasks_then_kinds_then_all(tmp_path: Path) -> None:
    asked = questions(tmp_path)
    found = SPEC.task("").metrics(lines_of(asked, lambda q: "A", "letter_tree_bench"))
    assert list(found) == [*KINDS, "Perception", "Reasoning", "overall"]
    assert [of["accuracy"]["value"] for of in found.values()] == [1, 0, 1, 0, 0.5]
    assert sum(SPEC.counts[k] for k in SPEC.counts if k != "overall") == 405


def test_options_may_be_lines_of_one_column(tmp_path: Path) -> None:
    columns = [c for c in COLUMNS if c not in ("A", "B")] + ["multi-choice options"]
    made = [[r[0], r[1], r[2], *r[5:], "A. left\n(B) right"] for r in rows()]
    task = SPEC.task(str(table(tmp_path / "t.tsv", columns, made)))
    assert [q.options for q in task.questions()] == [("left", "right")] * 2
    for wrong in ("left, right", "\n".join(f"{x}. {x}" for x in f"{LETTERS}A")):
        made[1][-1] = wrong
        table(tmp_path / "t.tsv", columns, made)
        with pytest.raises(ValueError, match=r":\d+: multi-choice options=.*columns A, B"):
            SPEC.task(str(tmp_path / "t.tsv")).questions()


@pytest.mark.parametrize(
    "boxes",
    ["", "[1, 2, 3, 4]", "[[1, 2, 3]]", "[[5, 5, 5, 9]]", "[['1', 2, 3, 4]]", "__import__('os')",
     "[[1, 2, 3, 1e999]]", "[[True, 0, 3, 4]]", "[" * 5000],
)  # fmt: skip
def test_boxes_that_are_none_are_named(tmp_path: Path, boxes: str) -> None:
    with pytest.raises(ValueError, match=r"TreeBench\.tsv:3: target_instances=.*expected a list"):
        questions(tmp_path, target_instances=boxes)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"category": "Perception"}, 'category="Perception": expected Perception/...'),
        ({"answer": "C"}, "answer=.*A to B"),
        ({"index": 0}, "an id of its own"),
    ],
)
def test_a_row_that_is_wrong_is_named(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=rf"TreeBench\.tsv:3: .*{says}"):
        questions(tmp_path, **change)
