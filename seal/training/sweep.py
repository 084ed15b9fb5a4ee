"""What the runs of a sweep were told, how far they came, and how good they are."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from seal.training.best import is_better, lower_is_better
from seal.training.checkpoint import read_description
from seal.training.checkpoint_store import checkpoint_names
from seal.training.config import flatten
from seal.training.log import METRICS, read_metrics

TAKES = ("last", "best")
_CONFIG = Path(".hydra") / "config.yaml"  # written when a program starts
_ERROR = "error.txt"  # written when a run of a sweep fails
# Where a run lies and under which name says nothing about it.
_NAMES = ("run_name", "paths.", "dry_run")


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepRun:
    """One run."""

    name: str  # its folder below the sweep's
    settings: dict[str, Any] = field(default_factory=dict)  # those that differ, by dotted key
    value: float | None  # of the metric; None: no line of the log has it, or it is not finite
    step: int  # of that value, or the last that was logged
    finished: bool
    state: str  # finished | at step N: not finished | failed: why


@dataclass(frozen=True, kw_only=True, slots=True)
class Sweep:
    """All of them, the best first; those without a value last."""

    metric: str
    keys: list[str]  # what differs between them
    runs: list[SweepRun]

    @property
    def lower_is_better(self) -> bool:
        """Whether a small value is a good one."""
        return lower_is_better(self.metric)


def read_sweep(folder: Path, metric: str, *, take: str = "last") -> Sweep:
    """Every run below `folder`, finished or not.

    Args:
        metric: a number of their logs, as `train.best` names one: losses and names with a minus in
            front are better lower.
        take: last | best: which of its values counts.

    Raises:
        ValueError: there is no run, or no log has the metric; names the numbers there are.
    """
    if take not in TAKES:
        raise ValueError(f"take={take!r} is none of {', '.join(TAKES)}")
    folders = list(_run_folders(folder))
    if not folders:
        raise ValueError(
            f"{folder} holds no run: name the folder that the runs of a sweep lie in, for example "
            "runs/sweep"
        )
    logs = {run: read_metrics(run / METRICS) if (run / METRICS).exists() else [] for run in folders}
    number = metric.removeprefix("-")
    if not any(number in line for lines in logs.values() for line in lines):
        there = sorted({name for lines in logs.values() for line in lines for name in line})
        raise ValueError(
            f"metric={metric}: no log of {folder} has it; they have "
            f"{', '.join(there) or 'no line yet'}"
        )
    told = {run: read_settings(run) for run in folders}
    keys = differing(list(told.values()))
    runs = []
    for run in folders:
        value, step = _value(logs[run], metric, take)
        finished, state = _state(run, logs[run])
        runs.append(
            SweepRun(
                name=str(run.relative_to(folder)),
                settings={key: told[run].get(key) for key in keys},
                value=value,
                step=step,
                finished=finished,
                state=state,
            )
        )
    sign = 1 if lower_is_better(metric) else -1
    runs.sort(key=lambda run: (run.value is None, sign * (run.value or 0.0), run.name))
    return Sweep(metric=metric, keys=keys, runs=runs)


def read_settings(run: Path) -> dict[str, Any]:
    """What a run was told, by dotted key; empty if it left nothing that says it.

    As it was composed, references unresolved: what follows from another setting is the same text
    in all runs. Only a run that was not started by a program is known from its checkpoint alone.
    """
    if (run / _CONFIG).exists():
        try:
            composed = yaml.safe_load((run / _CONFIG).read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ValueError(f"{run / _CONFIG} is damaged: {error}; remove it") from error
        return flatten(composed or {})
    names = checkpoint_names(run / "checkpoints")
    if not names:
        return {}
    description = read_description(run / "checkpoints" / names[-1])
    return flatten(description.get("configuration", description))


def differing(told: list[Mapping[str, Any]]) -> list[str]:
    """The keys that hold at least two values among the runs that have them, in their order."""
    keys = dict.fromkeys(key for settings in told for key in settings)
    found = []
    for key in keys:
        values = [settings[key] for settings in told if key in settings]
        referring = any(isinstance(value, str) and "${" in value for value in values)
        if key.startswith(_NAMES) or referring:
            continue
        if any(value != values[0] for value in values):
            found.append(key)
    return found


def _run_folders(folder: Path) -> Iterator[Path]:
    """Folders of runs, in order; none lies in another."""
    for path, folders, files in os.walk(folder):
        if METRICS in files or (Path(path) / _CONFIG).exists():
            folders.clear()
            yield Path(path)
        folders[:] = sorted(name for name in folders if not name.startswith("."))


def _value(lines: list[dict[str, float]], metric: str, take: str) -> tuple[float | None, int]:
    number = metric.removeprefix("-")
    last = max((int(line["step"]) for line in lines), default=0)
    points = [(line[number], int(line["step"])) for line in lines if number in line]
    if not points:
        return None, last
    value, step = points[-1]
    if take == "best":
        for other, at in points:
            if not math.isfinite(value) or is_better(metric, other, value):
                value, step = other, at
    return (value if math.isfinite(value) else None), step


def _state(run: Path, lines: list[dict[str, float]]) -> tuple[bool, str]:
    """Whether it came to its end, and how one says it."""
    last = max((int(line["step"]) for line in lines), default=0)
    if (run / _ERROR).exists():
        why = " ".join((run / _ERROR).read_text(encoding="utf-8", errors="replace").split())
        return False, f"failed: {why}"
    facts = run / "model" / "training.json"
    if facts.exists() and json.loads(facts.read_text(encoding="utf-8")).get("steps") == last:
        return True, "finished"
    return False, f"not finished: at step {last}"
