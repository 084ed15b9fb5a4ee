"""HR-Bench: rows and merged records are the same questions; four orders make one score."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from golden_files import SAMPLES, needs_samples
from option_lines import lines_of, picture, right, table, wrong

from seal.evaluation.named_tasks import task_named
from seal.evaluation.score import ScoreRun, run_score
from seal.evaluation.task import TaskQuestion

SPEC = task_named("hr_bench_4k")
COLUMNS = ["index", "question", "answer", "category", "A", "B", "C", "D", "cycle_category", "image"]
COLORS = ["red", "green", "blue", "white"]
SCORING = "letter_hr_bench"


def turned(cycle: int) -> list[str]:
    """Orders of the benchmark: the true option, "red", stands at A, B, C and D in turn."""
    rest = COLORS[1:]
    return [*rest[:cycle], COLORS[0], *rest[cycle:]]


def rows(*, by_cycle: bool = False) -> list[list[Any]]:
    """Three questions, two of them in the same words about different pictures."""
    asked = [("Which mug?", "single", "red"), ("Which cup?", "cross", "blue"),
             ("Which mug?", "single", "green")]  # fmt: skip
    order = product(range(4), range(3)) if by_cycle else product(range(3), range(4))
    made = []
    for index, (first, second) in enumerate(order):
        cycle, at = (first, second) if by_cycle else (second, first)
        text, category, color = asked[at]
        shown = picture(color, (8 + at, 6 + at))
        made.append([index, text, "ABCD"[cycle], category, *turned(cycle), cycle, shown])
    return made


@pytest.mark.parametrize("by_cycle", [False, True])
def test_the_four_orders_of_a_question_share_its_picture(tmp_path: Path, by_cycle: bool) -> None:
    path = table(tmp_path / "hr_bench_4k.tsv", COLUMNS, rows(by_cycle=by_cycle))
    task = SPEC.task(str(tmp_path))
    questions = task.questions()
    assert len(questions) == 12 and task.questions() == SPEC.task(str(path)).questions()
    groups = {q.meta["group"] for q in questions}
    assert groups == ({"0", "1", "2"} if by_cycle else {"0", "4", "8"})
    for group in groups:
        of = [q for q in questions if q.meta["group"] == group]
        assert [q.meta["cycle"] for q in of] == [0, 1, 2, 3] and {q.image for q in of} == {group}
        assert [q.options[q.answer] for q in of if q.answer is not None] == ["red"] * 4
    sizes = {q.image: task.images.open(q.image).size for q in questions if q.image}
    assert sorted(sizes.values()) == [(8, 6), (9, 7), (10, 8)]
    named = {q.text: [p.image for p in questions if p.text == q.text] for q in questions}
    assert len(set(named["Which mug?"])) == 2


def test_an_order_whose_picture_is_stored_anew_is_still_of_that_question(tmp_path: Path) -> None:
    content = rows()
    content[1][-1] = picture("red", (100, 90))
    questions = SPEC.task(str(table(tmp_path / "hr.tsv", COLUMNS, content))).questions()
    assert questions[0].image != questions[1].image and questions[0].image == questions[2].image
    assert len({question.cluster for question in questions}) == 3


def test_rows_of_the_hub_are_the_same_questions(tmp_path: Path) -> None:
    table(tmp_path / "hr_bench_4k.tsv", COLUMNS, rows())
    copy = tmp_path / "copy" / "data" / "hrbench_4k-00000-of-00001.parquet"
    copy.parent.mkdir(parents=True)
    pq.write_table(
        pa.Table.from_pylist([dict(zip(COLUMNS, row, strict=True)) for row in rows()]), copy
    )
    other = copy.with_name("hrbench_8k-00000-of-00001.parquet")
    pq.write_table(pa.table({"index": [1]}), other)
    task = SPEC.task(str(tmp_path / "copy"))
    assert task.questions() == SPEC.task(str(tmp_path / "hr_bench_4k.tsv")).questions()
    assert task.images.open("8").size == (10, 8)


def metrics(questions: list[TaskQuestion], say: Any, scoring: str = SCORING) -> dict[str, Any]:
    return SPEC.task("").metrics(lines_of(questions, say, scoring))


def test_the_score_is_the_mean_over_orders_and_no_place_gains(tmp_path: Path) -> None:
    table(tmp_path / "hr_bench_4k.tsv", COLUMNS, rows())
    questions = SPEC.task(str(tmp_path)).questions()
    every = metrics(questions, right)
    assert list(every) == ["single", "cross", "overall"]
    assert every["overall"]["accuracy"]["value"] == every["overall"]["all_orders"]["value"] == 1
    for letter in "ABCD":  # the true option stands at each letter once
        found = metrics(questions, lambda q, letter=letter: letter)["overall"]
        assert found["accuracy"]["value"] == 0.25 and found["all_orders"]["value"] == 0
        assert [found[f"accuracy_cycle_{c}"]["value"] for c in range(4)] == [
            float(c == "ABCD".index(letter)) for c in range(4)
        ]
    found = metrics(questions, lambda q: wrong(q) if q.id == "5" else right(q))
    assert found["cross"]["accuracy"]["value"] == 0.75
    assert found["single"]["accuracy"]["value"] == 1
    assert found["overall"]["accuracy"]["value"] == pytest.approx(11 / 12)
    assert found["overall"]["all_orders"]["value"] == pytest.approx(2 / 3)


def test_answers_that_cannot_be_read_are_counted_and_missing_ones_too(tmp_path: Path) -> None:
    table(tmp_path / "hr_bench_4k.tsv", COLUMNS, rows())
    questions = SPEC.task(str(tmp_path)).questions()
    found = metrics(questions, lambda q: None if q.id == "0" else "mumble")["overall"]
    assert found["accuracy"]["value"] == 0 and found["accuracy"]["invalid"] == 12
    assert found["all_orders"]["invalid"] == 3
    # Of an order that is half missing, the half that is there counts as the whole order does.
    found = metrics([q for q in questions if q.id != "0"], lambda q: "A")["overall"]
    assert found["accuracy"]["value"] == 0.25 and found["accuracy"]["n"] == 11


def merged(answers: list[str] | None = None) -> dict[str, Any]:
    options = [
        "".join(f"{x}. {o}\n" for x, o in zip("ABCD", turned(c), strict=True)) for c in range(4)
    ]
    entry: dict[str, Any] = {
        "index": 8, "question": "Which mug?", "answer": list("ABCD"), "category": "single",
        "cycle_category": 0, "options": options, "answer_type": "option_list",
        "input_image": "image/8.jpg",
    }  # fmt: skip
    return entry if answers is None else entry | {"output": answers}


def test_merged_records_are_four_questions_and_with_outputs_they_are_answers(
    tmp_path: Path,
) -> None:
    (tmp_path / "annotation_hr-bench_4k.json").write_text(json.dumps([merged()]))
    questions = SPEC.task(str(tmp_path), require_images=False).questions()
    assert [(q.id, q.answer, q.image) for q in questions] == [
        (str(8 + c), c, "image/8.jpg") for c in range(4)
    ]
    answers = tmp_path / "merge.jsonl"
    answers.write_text(json.dumps(merged(["A", "B. green", "A", ""])) + "\n")
    alone = run_score(
        ScoreRun(task="hrbench-4k", answers=str(answers), out=str(tmp_path / "alone"))
    )
    found = alone["systems"]["answers"]["single"]
    assert found["accuracy"]["value"] == 0.5 and found["accuracy"]["invalid"] == 1
    beside = ScoreRun(
        task="hr_bench_4k", answers=str(answers), annotations=str(tmp_path), out=str(tmp_path / "b")
    )
    assert run_score(beside)["systems"] == alone["systems"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({0: "1"}, r'hr_bench_4k\.tsv:2: index="1".* an id of its own|:3: index="1"'),
        ({2: "E"}, ':2: answer="E": expected the letter of an option, A to D'),
        ({3: "both"}, ':2: category="both": expected one of single, cross'),
        ({8: "x"}, ':2: cycle_category="x": expected a whole number'),
        ({5: None}, ":2: B=null: expected an option"),
        ({1: " "}, ':2: question=" ": expected a text'),
        ({2: None}, ":2: answer=null: expected the letter"),
    ],
)
def test_a_row_that_is_wrong_is_named(tmp_path: Path, change: dict[int, Any], says: str) -> None:
    made = rows()
    for at, value in change.items():
        made[0][at] = value
    path = table(tmp_path / "hr_bench_4k.tsv", COLUMNS, made)
    with pytest.raises(ValueError, match=says):
        SPEC.task(str(path)).questions()


def test_a_picture_that_is_none_is_named_when_it_is_opened(tmp_path: Path) -> None:
    made = rows()
    for row in made[:4]:
        row[9] = "no base64!"
    task = SPEC.task(str(table(tmp_path / "hr_bench_4k.tsv", COLUMNS, made)))
    assert len(task.questions()) == 12
    with pytest.raises(ValueError, match=r"hr_bench_4k\.tsv:2: image='no base64!' is no base64"):
        task.images.open("0")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"options": "A. x"}, 'options="A. x": expected a list of texts'),
        ({"options": ["A. red\nC. blue"] * 4}, "options=.*expected lines A., B., ..."),
        ({"options": ["A. red"] * 4}, "options=.*two or more options"),
        ({"answer": ["A"]}, r'answer=\["A"\]: expected as many as options, 4'),
        ({"answer": ["A", "B", "C", "E"]}, "answer=.*expected letters of options"),
        ({"index": None}, "index=null: expected a whole number"),
        ({"output": ["A"]}, r'output=\["A"\]: expected an answer to each order'),
        ({"output": ["A", "B", 3, "D"]}, "output=.*expected texts"),
    ],
)
def test_a_merged_record_that_is_wrong_is_named(
    tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    path = tmp_path / "merge.jsonl"
    path.write_text(json.dumps(merged(list("ABCD")) | change) + "\n")
    assert SPEC.recorded is not None
    with pytest.raises(ValueError, match=rf"merge\.jsonl:1: {says}"):
        SPEC.recorded(path, None)


@needs_samples
def test_the_200_records_load_and_hold_each_true_option_at_each_letter() -> None:
    path = SAMPLES / "hrbench_4k" / "annotation_hr-bench_4k.json"
    questions = SPEC.task(str(path), require_images=False).questions()
    assert len(questions) == 800 == SPEC.counts["overall"]
    truths = np.bincount([q.answer for q in questions if q.answer is not None])
    assert list(truths) == [200] * 4
    groups: dict[str, set[str]] = {}
    for q in questions:
        groups.setdefault(q.meta["group"], set()).add(q.options[q.answer or 0])
    assert len(groups) == 200 and all(len(true) == 1 for true in groups.values())
    assert sum(q.split == "single" for q in questions) == 400
