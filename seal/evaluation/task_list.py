"""What eval/tasks tells: every benchmark, what it needs and where it comes from."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

from seal.evaluation.judged import OVERALL
from seal.evaluation.named_tasks import all_tasks, task_named
from seal.evaluation.search_tasks import SEARCH_TASKS, SearchTaskSpec, search_task_named
from seal.evaluation.sources.hub import PREFIX
from seal.evaluation.tasks.spec import TaskSpec

WIDTH = 100  # letters of a line


@dataclass(kw_only=True, slots=True)
class TasksRun:
    """conf/tasks.yaml"""

    task: str | None = None  # one of them; None: all, those of finding too
    benchmark: str | None = None  # a copy of it, which is checked: as eval/benchmark is told
    open_images: bool = False  # decode every picture of the copy, not only look whether it is there

    def __post_init__(self) -> None:
        found = None if self.task is None else search_task_named(self.task)
        if self.task is not None:
            also = [spec.name for spec in SEARCH_TASKS]
            self.task = found.name if found else task_named(self.task, also).name
        if found and self.benchmark is not None:
            raise ValueError(f"task={found.name} is checked by {found.command} dry_run=true")
        if self.benchmark is not None and self.task is None:
            raise ValueError(f"benchmark={self.benchmark} is a copy of which benchmark? set task=")
        if self.open_images and self.benchmark is None:
            raise ValueError("open_images=true opens the pictures of a copy: set benchmark=")


def describe(spec: TaskSpec) -> str:
    """What there is to know of one benchmark, a line a fact."""
    facts = {
        "questions": _counts(spec),
        "benchmark=": spec.files,
        "hub": "" if spec.hub is None else f"benchmark={PREFIX}{spec.hub}",
        "from": spec.origin,
        "licence": spec.licence,
        "scoring=": ", ".join([f"{spec.scorings[0]} (default)", *spec.scorings[1:]]),
        "metric": spec.main,
        "answers": "in its own form too (eval/score)" if spec.recorded is not None else "",
        "version": spec.version,
    }
    return _told(spec.name, spec.title, facts)


def describe_search(spec: SearchTaskSpec) -> str:
    """The same of a benchmark of finding."""
    facts = {
        "command": spec.command,
        "targets": spec.count,
        "benchmark=": spec.files,
        "from": spec.origin,
        "licence": spec.licence,
        "metric": spec.metric,
    }
    return _told(spec.name, spec.title, facts)


def _told(name: str, title: str, facts: Mapping[str, str]) -> str:
    lines = [f"{name}: {title.rstrip('.')}."]
    for name, fact in facts.items():
        if fact:
            label = f"  {name:<12}"
            wrapped = textwrap.wrap(
                fact, WIDTH - len(label), break_long_words=False, break_on_hyphens=False
            )
            lines += [label + wrapped[0], *(" " * len(label) + more for more in wrapped[1:])]
    return "\n".join(lines)


def list_tasks(run: TasksRun) -> str:
    """All benchmarks, or the one that is asked for."""
    if run.task is None:
        told = [*map(describe, all_tasks()), *map(describe_search, SEARCH_TASKS)]
    else:
        found = search_task_named(run.task)
        told = [describe(task_named(run.task)) if found is None else describe_search(found)]
    return "\n\n".join(told)


def _counts(spec: TaskSpec) -> str:
    """`191 (attribute 115, spatial 76)`; empty if it is not known."""
    parts = {split: n for split, n in spec.counts.items() if split != OVERALL}
    whole = spec.counts.get(OVERALL)
    told = ", ".join(f"{split} {n}" for split, n in parts.items())
    if whole is None:
        return told
    return f"{whole} ({told})" if told else str(whole)
