"""MMBench: a question is right if all of its rotations are; tables of answers score themselves."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from golden_files import SAMPLES, needs_samples
from option_lines import lines_of, picture, right, table, wrong

from seal.evaluation.named_tasks import task_named
from seal.evaluation.score import ScoreRun, run_score
from seal.evaluation.scorings.named import scoring_named
from seal.evaluation.task import TaskQuestion

SPEC = task_named("mmbench")
COLUMNS = [
    "index", "question", "hint", "A", "B", "C", "D", "answer", "category", "image", "l2-category",
]  # fmt: skip
SCORING = "letter_llava"


def copies(index: int, options: list[str], answer: int, *, fixed: int = 0) -> list[list[Any]]:
    """Rotations of a question, as the benchmark has them; the last `fixed` options stay."""
    moving = len(options) - fixed
    made = []
    for turn in range(moving):
        order = [(place - turn) % moving for place in range(moving)] + list(
            range(moving, len(options))
        )
        shown = [options[i] for i in order] + [None] * (4 - len(options))
        image = picture(size=(index, 9)) if turn == 0 else str(index)
        made.append([
            index + turn * 1_000_000, f"Which is {index}?", "Look." if index == 7 else None, *shown,
            "ABCD"[order.index(answer)], f"kind {index % 2}", image, "coarse",
        ])  # fmt: skip
    return made


def rows() -> list[list[Any]]:
    return [
        *copies(7, ["red", "blue", "green", "white"], 1),
        *copies(8, ["yes", "no"], 0),
        *copies(9, ["one", "two", "three", "all of these"], 3, fixed=1),
    ]


def questions(folder: Path, made: list[list[Any]] | None = None) -> list[TaskQuestion]:
    path = table(folder / "MMBench_DEV_EN.tsv", COLUMNS, rows() if made is None else made)
    return SPEC.task(str(path)).questions()


def test_copies_belong_together_and_share_the_picture_they_name(tmp_path: Path) -> None:
    asked = questions(tmp_path)
    assert [q.meta["group"] for q in asked] == ["7"] * 4 + ["8"] * 2 + ["9"] * 3
    assert [q.image for q in asked] == [q.meta["group"] for q in asked]
    assert asked[0].text == "Look.\nWhich is 7?" and asked[4].text == "Which is 8?"
    assert [q.options[q.answer or 0] for q in asked] == ["blue"] * 4 + ["yes"] * 2 + (
        ["all of these"] * 3
    )
    images = SPEC.task(str(tmp_path)).images
    assert [images.open(name).size[0] for name in ("7", "8", "9")] == [7, 8, 9]
    (wording,) = scoring_named("letter_vlmevalkit").wordings(asked[0], 0)
    assert wording.text.startswith("Hint: Look.\nQuestion: Which is 7?\nOptions:\nA. red\n")


def test_pictures_that_every_copy_repeats_are_one(tmp_path: Path) -> None:
    made = rows()
    for row in made:
        row[COLUMNS.index("image")] = picture(size=(row[0] % 1_000_000, 9))
    assert [q.image for q in questions(tmp_path, made)] == ["7"] * 4 + ["8"] * 2 + ["9"] * 3


def test_circular_is_right_where_every_copy_is(tmp_path: Path) -> None:
    asked = questions(tmp_path)
    rng = np.random.default_rng(0)
    for _ in range(20):
        hits = {q.id: bool(rng.random() < 0.7) for q in asked}
        lines = lines_of(asked, lambda q, hits=hits: (right if hits[q.id] else wrong)(q), SCORING)
        found = SPEC.task("").metrics(lines)["overall"]
        by_group = [[hits[q.id] for q in asked if q.meta["group"] == g] for g in "789"]
        assert found["circular"]["value"] == pytest.approx(np.mean([all(g) for g in by_group]))
        assert found["vanilla"]["value"] == pytest.approx(np.mean([g[0] for g in by_group]))
        assert found["accuracy"]["value"] == pytest.approx(np.mean(list(hits.values())))
        assert found["incomplete"] == 0 and found["circular"]["n"] == 3


@pytest.mark.parametrize("letter", ["A", "B", "D"])
def test_a_system_that_prefers_a_place_gains_nothing(tmp_path: Path, letter: str) -> None:
    asked = questions(tmp_path)
    found = SPEC.task("").metrics(lines_of(asked, lambda q: letter, SCORING))["overall"]
    fixed = 1 if letter == "D" else 0  # "all of these" is D in every copy
    assert found["circular"]["value"] == pytest.approx(fixed / 3)


def test_splits_are_both_kinds_of_abilities(tmp_path: Path) -> None:
    found = SPEC.task("").metrics(lines_of(questions(tmp_path), right, SCORING))
    assert list(found) == ["kind 1", "coarse", "kind 0", "overall"]
    assert found["kind 1"]["circular"]["n"] == 2


def test_without_copies_there_is_no_circular_number(tmp_path: Path) -> None:
    firsts = [row for row in rows() if row[0] < 1_000_000]
    asked = questions(tmp_path, firsts)
    found = SPEC.task("").metrics(lines_of(asked, right, SCORING))["overall"]
    assert found["circular"]["value"] is None and found["vanilla"]["value"] == 1
    asked = questions(tmp_path, [*firsts, rows()[1]])
    assert SPEC.task("").metrics(lines_of(asked, right, SCORING))["overall"]["incomplete"] == 3


def test_answers_that_are_kept_back_make_predictions_without_scores(tmp_path: Path) -> None:
    made = rows()
    for row in made:
        row[COLUMNS.index("answer")] = None
    asked = questions(tmp_path, made)
    lines = lines_of(asked, lambda q: "B", SCORING)
    found = SPEC.task("").metrics(lines)["overall"]
    assert found["circular"]["value"] is None and found["not_judged"] == 9


def answer_table(path: Path, whole: bool, predictions: list[Any]) -> Path:
    """As convert_mmbench_for_submission.py writes it; or its three columns alone."""
    frame = pd.DataFrame(rows(), columns=COLUMNS).drop(
        columns=["hint", "category", "image", "l2-category"]
    )
    frame.insert(6, "prediction", predictions)
    frame = frame if whole else frame[["index", "prediction", "answer"]]
    if path.suffix == ".xlsx":
        frame.to_excel(path, index=False)
    else:
        frame.to_csv(path, sep="\t", index=False)
    return path


@pytest.mark.parametrize("suffix", [".tsv", ".xlsx"])
@pytest.mark.parametrize("whole", [True, False])
def test_a_table_of_answers_is_scored_by_itself(tmp_path: Path, suffix: str, whole: bool) -> None:
    said = ["B", "C", "D", "A", "A", None, "D", "D.", "(D)"]
    path = answer_table(tmp_path / f"up{suffix}", whole, said)
    found = run_score(ScoreRun(task="mmbench", answers=str(path), out=str(tmp_path / "out")))
    overall = found["systems"]["answers"]["overall"]
    assert overall["circular"]["value"] == pytest.approx(2 / 3)
    assert overall["circular"]["invalid"] == 1 == overall["accuracy"]["invalid"]
    assert overall["accuracy"]["value"] == pytest.approx(8 / 9)
    benchmark = table(tmp_path / "MMBench.tsv", COLUMNS, rows())
    run = ScoreRun(
        task="mmbench", answers=str(path), annotations=str(benchmark), out=str(tmp_path / "beside")
    )
    assert run_score(run)["systems"]["answers"]["overall"]["circular"] == overall["circular"]


def test_a_table_without_truths_needs_the_benchmark(tmp_path: Path) -> None:
    path = table(tmp_path / "up.tsv", ["index", "prediction"], [[7, "A"]])
    with pytest.raises(ValueError, match=r"up\.tsv has no column answer: annotations= must name"):
        run_score(ScoreRun(task="mmbench", answers=str(path), out=str(tmp_path / "out")))


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("index", 8, 'index="8": expected an id of its own'),
        ("index", "x", 'index="x": expected a whole number'),
        ("answer", "C", 'answer="C": expected the letter of an option, A to B'),
        ("A", None, "A=null: expected an option"),
        ("image", "77", 'image="77": expected the index of a row that has a picture'),
        ("image", None, "image=null: expected a picture, or the index"),
        ("image", "1000008", "image=.1000008.: expected the index of a row that has a picture"),
    ],
)
def test_a_row_that_is_wrong_is_named(tmp_path: Path, column: str, value: Any, says: str) -> None:
    made = rows()
    made[5][COLUMNS.index(column)] = value
    with pytest.raises(ValueError, match=rf"MMBench_DEV_EN\.tsv:7: {says}"):
        questions(tmp_path, made)


@needs_samples
def test_the_364_rows_load_and_their_copies_hold_one_truth() -> None:
    path = SAMPLES / "mmbench" / "mmbench_dev_20230712_every12thgroup_noimage.tsv"
    asked = SPEC.task(str(path), require_images=False).questions()
    assert len(asked) == 364
    groups: dict[str, list[TaskQuestion]] = {}
    for question in asked:
        groups.setdefault(question.meta["group"], []).append(question)
    assert len(groups) == 98
    assert all(len({q.options[q.answer or 0] for q in of}) == 1 for of in groups.values())
    found = SPEC.task("").metrics(lines_of(asked, right, SCORING))["overall"]
    assert found["circular"]["n"] == 98 and found["incomplete"] == 0
    always = SPEC.task("").metrics(lines_of(asked, lambda q: "A", SCORING))["overall"]
    assert always["circular"]["value"] == 0
    assert math.isclose(always["accuracy"]["value"], sum(q.answer == 0 for q in asked) / 364)
