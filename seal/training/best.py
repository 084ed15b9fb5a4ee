"""Which checkpoint was the best by a number of the validation, and where that is written down.

    checkpoints/best        {"name": "step-00002000", "metric": "validation/cIoU", "value": 0.61}

The checkpoint it names is never removed to make room. While that one is still being written the
file also says which was the best `before`; so whatever kills the process, there is one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from seal.files.whole import write_whole
from seal.training.distributed import World

BEST = "best"


@dataclass(frozen=True, kw_only=True, slots=True)
class Best:
    """What the file says."""

    name: str  # of the checkpoint
    metric: str  # as `train.best` had it
    value: float
    before: Best | None = None  # until `name` is known to be complete


class BestSoFar:
    """The best validation of a run; the first process decides for all."""

    def __init__(self, store: Path, metric: str, *, first: int, world: World) -> None:
        """`first`: the steps that are done; what was the best behind them is found again."""
        self.store, self.metric, self._world = store, metric, world
        self._best: Best | None = None
        if world.is_main:
            there = [best for best in _both(read_best(store)) if (store / best.name).is_dir()]
            known = [b for b in there if b.metric == metric and b.name <= _name(first)]
            self._best = replace(known[0], before=None) if known else None

    def improved(self, results: Mapping[str, float], step: int) -> bool:
        """Whether these are better than all before; then the checkpoint of `step` is kept.

        A collective call; the checkpoint has to be written now, if it is not already.

        Raises:
            ValueError: the metric is not among them; names those there are.
        """
        value = value_of(self.metric, results)
        than = None if self._best is None else self._best.value
        better = self._world.is_main and is_better(self.metric, value, than)
        if better:
            before = self._best and replace(self._best, before=None)
            self._best = Best(name=_name(step), metric=self.metric, value=value, before=before)
            self._write()
        return self._world.mean([float(better)])[0] > 0

    def settle(self, complete: Path | None) -> None:
        """Let go of the one before, once the best is complete; `complete`: the newest that is."""
        best = self._best
        if best is None or best.before is None or complete is None or complete.name < best.name:
            return
        self._best = replace(best, before=None)
        self._write()

    def _write(self) -> None:
        assert self._best is not None
        self.store.mkdir(parents=True, exist_ok=True)
        stored = {key: value for key, value in asdict(self._best).items() if value is not None}
        write_whole(self.store / BEST, json.dumps(stored, indent=1) + "\n")


def lower_is_better(metric: str) -> bool:
    """Losses, and whatever has a minus in front."""
    return metric.startswith("-") or "loss" in metric.split("/")


def is_better(metric: str, value: float, than: float | None) -> bool:
    """Whether a value is the best so far; one that is not finite never is."""
    if not math.isfinite(value):
        return False
    if than is None:
        return True
    return value < than if lower_is_better(metric) else value > than


def value_of(metric: str, results: Mapping[str, float]) -> float:
    """The number that `metric` names among those of a validation (without `validation/`).

    Raises:
        ValueError: there is none; names those there are.
    """
    name = metric.removeprefix("-").removeprefix("validation/")
    if name not in results:
        there = ", ".join(f"validation/{other}" for other in results)
        raise ValueError(f"train.best={metric}: the validation has no such number; it has {there}")
    return results[name]


def read_best(store: Path) -> Best | None:
    """What `store`/best says; None if there is none.

    Raises:
        ValueError: it is damaged; names it.
    """
    path = store / BEST
    if not path.exists():
        return None
    try:
        return _parsed(json.loads(path.read_bytes()))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is damaged: it should say which checkpoint was the best; remove it to go on "
            "without (the next validation begins anew)"
        ) from error


def spared(store: Path) -> set[str]:
    """The names of checkpoints that are not removed to make room."""
    return {best.name for best in _both(read_best(store))}


def best_checkpoint(store: Path) -> Path:
    """The folder of the best one, to be exported.

    Raises:
        ValueError: none was kept, or it is no longer there.
    """
    best = read_best(store)
    if best is None:
        raise ValueError(
            f"{store} has no file `best`: the run kept none; train with "
            "train.best=validation/loss, or name a checkpoint"
        )
    for candidate in _both(best):
        if (store / candidate.name).is_dir():
            return store / candidate.name
    raise ValueError(f"{store / BEST} names {best.name}, which is not there; name another one")


def _both(best: Best | None) -> list[Best]:
    """The best and the one before, as far as there are."""
    return [found for found in (best, best and best.before) if found is not None]


def _parsed(stored: Any) -> Best:
    before = stored.get("before")
    return Best(
        name=str(stored["name"]),
        metric=str(stored["metric"]),
        value=float(stored["value"]),
        before=None if before is None else _parsed(before),
    )


def _name(step: int) -> str:
    return f"step-{step:08d}"
