"""A copy of a benchmark is counted, its pictures are looked for, and what is wrong is told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from vstar_folder import ANNOTATIONS, write_bench

from seal.evaluation.benchmark_images import FolderImages
from seal.evaluation.named_tasks import TASK_NAMES, all_tasks, task_named
from seal.evaluation.search_tasks import SEARCH_TASKS
from seal.evaluation.task_check import check_copy
from seal.evaluation.task_list import WIDTH, TasksRun, describe, list_tasks

SPEC = task_named("vstar_bench")
SMALL = replace(SPEC, counts={"attribute": 2, "spatial": 2, "overall": 4})


def test_a_whole_copy_has_nothing_to_complain_of(tmp_path):
    checked = check_copy(SMALL, str(write_bench(tmp_path)), open_images=True)
    assert checked.problems == () == checked.notes
    assert checked.table.rows == (
        ("attribute", "2", "2", "0"), ("spatial", "2", "2", "0"), ("overall", "4", "4", "0")
    )  # fmt: skip


def test_a_part_of_a_benchmark_is_counted_and_told_where_the_whole_is(tmp_path):
    checked = check_copy(SPEC, str(write_bench(tmp_path)))
    (problem,) = checked.problems
    assert "2 of 115 attribute, 2 of 76 spatial, 4 of 191 overall: a part of it?" in problem
    assert SPEC.origin in problem and f"benchmark=hub:{SPEC.hub}" in problem


def test_more_than_the_whole_is_another_set(tmp_path):
    spec = replace(SMALL, counts={"attribute": 1, "overall": 4})
    (problem,) = check_copy(spec, str(write_bench(tmp_path))).problems
    assert problem.startswith("2 of 1 attribute: another version")


def test_pictures_that_are_missing_or_damaged_are_named(tmp_path):
    write_bench(tmp_path)
    names = [f"{name}.jpg" for name in ANNOTATIONS]
    (tmp_path / names[1]).unlink()
    (tmp_path / names[2]).write_bytes(b"no picture")
    closed = check_copy(SMALL, str(tmp_path))
    assert [row[3] for row in closed.table.rows] == ["1", "0", "1"]
    assert f"1 picture cannot be shown, for example {names[1]} is not there" in closed.problems[0]
    opened = check_copy(SMALL, str(tmp_path), open_images=True)
    assert [row[3] for row in opened.table.rows] == ["1", "1", "2"]
    assert "2 pictures" in opened.problems[0] and names[2] in opened.problems[0]


def test_questions_of_one_id_and_questions_without_an_answer_are_told(tmp_path):
    questions = SMALL.task(str(write_bench(tmp_path))).questions()
    questions[1] = replace(questions[1], id=questions[0].id)
    questions[2] = replace(questions[2], answer=None)
    spec = replace(SMALL, read=lambda _: (questions, FolderImages(tmp_path)))
    checked = check_copy(spec, str(tmp_path))
    assert (
        f"1 ids stand for several questions, for example {questions[0].id}" in (checked.problems[0])
    )
    assert checked.notes[0].startswith("1 questions come without an answer")


def test_what_cannot_be_read_is_the_readers_error(tmp_path):
    with pytest.raises(ValueError, match="nowhere"):
        check_copy(SMALL, str(tmp_path / "nowhere"))


@pytest.mark.parametrize("spec", all_tasks(), ids=TASK_NAMES)
def test_every_benchmark_says_what_it_needs(spec):
    told = describe(spec)
    assert spec.files.split()[0] in told and spec.origin in told and spec.scorings[0] in told
    assert "://" in spec.origin and spec.licence
    for line in told.splitlines()[1:]:
        assert len(line) <= WIDTH or " " not in line[14:].strip()


def test_all_are_listed_or_the_one_that_is_asked_for():
    told = list_tasks(TasksRun())
    names = [*TASK_NAMES, *(spec.name for spec in SEARCH_TASKS)]
    assert [p.partition(":")[0] for p in told.split("\n\n")] == names
    assert list_tasks(TasksRun(task="VStar-Bench")) == describe(SPEC)
    assert "191 (attribute 115, spatial 76)" in describe(SPEC)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"task": "vstr_bench"}, "did you mean vstar_bench"),
        ({"benchmark": "x"}, "set task="),
        ({"task": "vstar_bench", "open_images": True}, "set benchmark="),
    ],
)
def test_what_means_nothing_is_refused(settings, says):
    with pytest.raises(ValueError, match=says):
        TasksRun(**settings)
