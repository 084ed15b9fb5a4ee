"""The benchmarks of finding are listed beside the others, each with the program that runs it."""

from __future__ import annotations

import pytest
from programs_here import ROOT

from seal.evaluation.search import TASKS
from seal.evaluation.search_tasks import SEARCH_TASKS
from seal.evaluation.task_list import TasksRun, list_tasks


def test_they_are_listed_with_what_they_need():
    told = list_tasks(TasksRun())
    for spec in SEARCH_TASKS:
        assert f"{spec.name}: " in told and spec.origin in told
        program = spec.command.split()[1]
        assert (ROOT / f"{program}.py").is_file()
    named = [word for s in SEARCH_TASKS for word in s.command.split() if word.startswith("task=")]
    assert [word.removeprefix("task=") for word in named] == list(TASKS)


def test_one_is_told_alone():
    told = list_tasks(TasksRun(task="COCO-Search18"))
    assert told.startswith("coco_search18: ") and "seal eval/search task=coco_search18" in told
    assert "vstar_bench: " not in told


def test_a_copy_is_checked_by_its_own_program():
    with pytest.raises(ValueError, match="is checked by seal eval/grounding dry_run=true"):
        TasksRun(task="refcoco", benchmark="x")
    with pytest.raises(ValueError, match=r"none of vstar_bench.*coco_search18"):
        TasksRun(task="cocosearch")
