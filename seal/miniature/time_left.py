"""How long a demo still takes, from the speed of its own stages on this machine.

Stages come with the seconds they took elsewhere. What matters is the ratio to what they take here:
it is measured on stages that ended and on those that run, by how far they say they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seal.miniature.stage import Stage

_TRUSTED = 0.25  # from this share on, a stage's own speed alone tells what is left of it
_TOLD = 0.04  # below this share it tells nothing: it has hardly begun
_PART = 8192  # bytes at either end of a log that hold its first and last progress


@dataclass(frozen=True, slots=True)
class Running:
    """A stage that runs: for how long, and how far it says it is (None: it does not say).

    begun: how far it was when it started: one that was stopped goes on where it was.
    """

    seconds: float
    share: float | None = None
    begun: float = 0.0

    @property
    def gained(self) -> float | None:
        """The share that these seconds brought; None while that tells nothing."""
        if self.share is None or self.share - self.begun < _TOLD:
            return None
        return self.share - self.begun


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a demo is. Stages are known by name; those in neither mapping have not begun."""

    lanes: Sequence[Sequence[Stage]]
    done: Mapping[str, float]  # seconds they took, kept ones of an earlier run included
    running: Mapping[str, Running]

    @property
    def stages(self) -> list[Stage]:
        """All of them, lane by lane."""
        return [stage for lane in self.lanes for stage in lane]


def shares_told(log: Path, bar: str) -> tuple[float, float] | None:
    """How far the first and the last progress line of `bar` in a stage's log are, from 0 to 1.

    None: there is none yet.
    """
    try:
        with log.open("rb") as lines:
            head = lines.read(_PART)
            lines.seek(max(0, lines.seek(0, 2) - _PART))
            tail = lines.read()
    except FileNotFoundError:
        return None
    told = re.compile(rf"{re.escape(bar)}: +(\d+)%\|".encode())
    first, last = told.findall(head), told.findall(tail)
    if not last:
        return None
    return int(first[0]) / 100 if first else 0.0, int(last[-1]) / 100


def speed_ratio(progress: Progress) -> float | None:
    """Seconds here by seconds expected, of what is measured so far; None: nothing yet."""
    took = expected = 0.0
    for stage in progress.stages:
        if stage.name in progress.done:
            took += progress.done[stage.name]
            expected += stage.expected_seconds
        elif (one := progress.running.get(stage.name)) is None:
            continue
        elif one.gained is not None:
            took += one.seconds
            expected += stage.expected_seconds * one.gained
        elif one.seconds > stage.expected_seconds:  # it takes at least so long
            took += one.seconds
            expected += stage.expected_seconds
    return took / expected if expected > 0 else None


def time_left(progress: Progress) -> float:
    """Seconds until the last lane ends, where a stage waits for those it reads."""
    ratio = speed_ratio(progress) or 1.0
    ends: dict[str, float] = dict.fromkeys(progress.done, 0.0)
    makers = {stage.name for stage in progress.stages}
    waiting = [list(lane) for lane in progress.lanes]
    clocks = [0.0] * len(waiting)
    moved = True
    while moved:
        moved = False
        for number, lane in enumerate(waiting):
            while lane:
                stage = lane[0]
                needs = [path.stem for path in stage.inputs if path.stem in makers]
                if stage.name not in progress.running and any(n not in ends for n in needs):
                    break
                start = max([clocks[number], *(ends.get(name, 0.0) for name in needs)])
                if stage.name in progress.running:
                    start = clocks[number]
                clocks[number] = ends[stage.name] = start + _left_of(stage, progress, ratio)
                lane.pop(0)
                moved = True
    return max(ends.values(), default=0.0)


def _left_of(stage: Stage, progress: Progress, ratio: float) -> float:
    """Seconds that one stage still takes once it may run."""
    if stage.name in progress.done:
        return 0.0
    expected = stage.expected_seconds * ratio
    one = progress.running.get(stage.name)
    if one is None:
        return expected
    by_others = max(expected * (1 - one.begun) - one.seconds, 0.0)
    if one.gained is None or one.share is None:
        return by_others
    by_itself = one.seconds / one.gained * (1 - one.share)
    trust = min(1.0, one.gained / _TRUSTED)
    return trust * by_itself + (1 - trust) * by_others


def told(seconds: float) -> str:
    """A time as people say it: 40 seconds, 7 minutes."""
    if seconds < 90:
        tens = max(10, 10 * round(seconds / 10))
        return f"{tens} seconds"
    return f"{seconds / 60:.0f} minutes"
