"""What runs measured, for a table: a number, under which protocol, over how many questions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seal.evaluation.store import METRICS
from seal.text.quote import quoted

DEMO_RESULTS = "results"  # where a demo keeps its runs


@dataclass(frozen=True, slots=True)
class Cell:
    """One number that a run measured; without a metric, the command that would."""

    metric: dict[str, Any] | None = None
    ties: int | None = None
    folder: Path | None = None  # of the run
    protocol: str = ""
    command: str = ""


def run_cell(folder: Path, system: str, path: str, command: str, task: str = "") -> Cell:
    """The number of `system` at `path` in a run's metrics.json.

    Args:
        path: dotted; {system} and {main}, the task's main metric, are filled in.
        command: what measures it; told where the run or the number is not there.
        task: the benchmark that the number must be of; empty: any.

    Raises:
        ValueError: metrics.json is damaged or of another benchmark, or no metric stands at the
            path.
    """
    if not (folder / METRICS).is_file():
        return Cell(command=command)
    metrics = read_metrics(folder)
    if task and metrics.get("task") != task:
        raise ValueError(
            f"{folder / METRICS} holds numbers of {metrics.get('task')}, and here stand those of "
            f"{task}: name another run"
        )
    # Filled in step by step: a dot in a name, as of human_prior_0.9, parts no steps.
    main = metrics.get("main", "accuracy")
    steps = [step.format(system=system, main=main) for step in path.split(".")]
    metric = look_up(metrics, steps)
    if metric is None:
        # What others are compared with has no difference from itself.
        reference = metrics.get("reference") == system and "difference" in steps
        return Cell(command="" if reference else command)
    if not {"value", "n", "invalid", "low", "high"} <= {*metric}:
        raise ValueError(
            f"{folder / METRICS}: {'.'.join(steps)} is no metric (value, n, invalid, low, high)"
        )
    parent = _step_down(metrics, steps[:-1])
    ties = parent.get("ties") if isinstance(parent, Mapping) else None
    return Cell(metric, ties if isinstance(ties, int) else None, folder, _protocol(metrics), "")


def demo_cell(demo: Path, where: str, path: str) -> Cell:
    """The number of a demo at `where`, RUN:SYSTEM; empty: the demo has none.

    Raises:
        ValueError: there is no demo in the folder.
    """
    if not (demo / DEMO_RESULTS).is_dir():
        raise ValueError(
            f"miniature={quoted(str(demo))} holds no results of a demo: make them with "
            f"seal demo --out {demo}"
        )
    if not where:
        return Cell()
    run, _, system = where.partition(":")
    return run_cell(demo / DEMO_RESULTS / run, system, path, f"seal demo --out {demo}")


def told_of(cells: Iterable[Cell]) -> str:
    """A footnote of the numbers of one run in one row: protocol, n, invalid answers and ties."""
    shown = [cell for cell in cells if cell.metric is not None]
    if not shown:
        return ""
    metrics = [cell.metric for cell in shown if cell.metric is not None]
    parts = [f"n {_each([m['n'] for m in metrics])}"]
    if any(m["invalid"] for m in metrics):
        parts.append(f"invalid {_each([m['invalid'] for m in metrics])}")
    ties = [cell.ties for cell in shown if cell.ties is not None]
    if any(ties):
        parts.append(f"ties {_each(ties)}")
    return f"{shown[0].folder}: {shown[0].protocol}; {', '.join(parts)}"


def read_metrics(folder: Path) -> dict[str, Any]:
    """metrics.json of a run folder."""
    path = folder / METRICS
    if not path.is_file():
        raise ValueError(f"{path} does not exist: {folder} holds no finished evaluation")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{path} is not JSON ({error}): score the run again, seal eval/score answers={folder}"
        ) from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is no object of results, got {str(content)[:60]}")
    return content


def look_up(metrics: Mapping[str, Any], steps: Sequence[str]) -> dict[str, Any] | None:
    """The metric behind these keys; None if one of them is not there (it was not run).

    Raises:
        ValueError: something else than a metric stands there.
    """
    value = _step_down(metrics, steps)
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise ValueError(f"{'.'.join(steps)} is {str(value)[:60]}, not a metric")
    return dict(value)


def _step_down(metrics: Mapping[str, Any], steps: Sequence[str]) -> Any:
    value: Any = metrics
    for step in steps:
        if not isinstance(value, Mapping) or step not in value:
            return None
        value = value[step]
    return value


def _protocol(metrics: Mapping[str, Any]) -> str:
    parts = [f"protocol {metrics.get('protocol', 'unknown')}"]
    if "scoring" in metrics:
        parts.append(f"scoring {metrics['scoring']}")
    return ", ".join(parts)


def _each(numbers: list[int]) -> str:
    """Once if all are the same, else one a column."""
    return ", ".join(map(str, numbers if len({*numbers}) > 1 else numbers[:1]))
