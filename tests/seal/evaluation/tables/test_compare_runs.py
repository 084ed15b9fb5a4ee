"""Two runs are compared on the questions that are the same in both, and on nothing else."""

from __future__ import annotations

import json

import pytest

from seal.evaluation.tables.compare_runs import compare_runs
from seal.evaluation.task import TaskQuestion


def write(folder, right, *, task="vstar_bench", text="{}?", system="guided", count=6):
    """Predictions of `count` questions, of which those in `right` are answered rightly."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for i in range(count):
        question = TaskQuestion(
            str(i),
            text.format(i),
            f"{i}.jpg",
            ("yes", "no"),
            0,
            "attribute" if i % 2 else "spatial",
        )
        losses = [0.0, 1.0] if i in right else [1.0, 0.0]
        lines.append({
            "id": question.id, "system": system, "task": task, "task_version": "2",
            "protocol": "default", "scoring": "likelihood", "presented": None,
            "question": question.to_dict(), "prompt": None,
            "answer": {"losses": losses, "text": ""}, "error": None,
        })  # fmt: skip
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "predictions.jsonl").write_text(text)
    return f"{folder}:{system}"


def test_the_difference_is_over_what_both_were_asked(tmp_path):
    first = write(tmp_path / "a", {0, 1, 2, 3})
    second = write(tmp_path / "b", {0}, count=4)
    table = compare_runs(first, second)
    by_split = {row[0]: row for row in table.rows}
    assert list(by_split)[-1] == "overall"
    assert by_split["overall"][1] == "4" and by_split["overall"][2].startswith("+75.0 [")
    assert by_split["overall"][3:5] == ("3", "0")
    told = f"{first}: protocol default, scoring likelihood, 4 of 6 questions are the other's too"
    assert told in table.notes


def test_a_question_that_was_asked_twice_counts_once(tmp_path):
    first = write(tmp_path / "a", {0, 1})
    path = tmp_path / "a" / "predictions.jsonl"
    path.write_text(path.read_text() * 2)
    row = compare_runs(first, write(tmp_path / "b", {0})).rows[-1]
    assert row[1] == "6" and row[3:5] == ("1", "0")


def test_who_graded_is_told_for_two_judges_are_two_scales(tmp_path):
    sides = []
    for name in ("tiny", "large"):
        question = TaskQuestion("v1_0", "Why?", labels=("so",), meta={"capability": ["rec"]})
        line = {
            "id": "v1_0", "system": "none", "task": "mm_vet", "task_version": "1",
            "protocol": "default", "scoring": "free", "presented": None, "prompt": None,
            "question": question.to_dict(), "answer": {"text": "so"}, "error": None,
            "grade": {"score": 0.5, "model": name, "prompt": "mm_vet/1"},
        }  # fmt: skip
        (tmp_path / name).mkdir()
        (tmp_path / name / "predictions.jsonl").write_text(json.dumps(line) + "\n")
        sides.append(f"{tmp_path / name}:none")
    notes = compare_runs(*sides).notes
    assert notes[0].endswith("judge tiny, prompt mm_vet/1")
    assert notes[1].endswith("judge large, prompt mm_vet/1")


def test_other_questions_and_other_benchmarks_are_not_compared(tmp_path):
    first = write(tmp_path / "a", {0})
    with pytest.raises(ValueError, match="different questions called '0'"):
        compare_runs(first, write(tmp_path / "b", {0}, text="other {}?"))
    with pytest.raises(ValueError, match=r"answered vstar_bench and .* hr_bench_4k"):
        compare_runs(first, write(tmp_path / "c", {0}, task="hr_bench_4k"))
    with pytest.raises(ValueError, match="no predictions of 'none'; there are"):
        compare_runs(first, f"{tmp_path / 'a'}:none")
    with pytest.raises(ValueError, match="nowhere holds no answers of systems"):
        compare_runs(first, f"{tmp_path / 'nowhere'}:guided")
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "predictions.jsonl").write_text('{"id": "a", "strategy": "guided"}\n')
    with pytest.raises(ValueError, match="name the folder of a run of eval/benchmark"):
        compare_runs(first, f"{tmp_path / 's'}:guided")
    with pytest.raises(ValueError, match="is not FOLDER:SYSTEM"):
        compare_runs(first, "guided")
