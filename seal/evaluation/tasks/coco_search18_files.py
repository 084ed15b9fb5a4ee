"""The files of COCO-Search18, target present: people's searches for a thing in a photograph.

The official files are lists of trials: `name` of the photograph, `subject`, `task` (what was
sought), `condition`, `bbox` [x, y, width, height], `X`, `Y` and `T` of every fixation, `length`,
`correct`. Boxes and fixations are pixels of the display, 1680 x 1050, on which the photograph was
enlarged and centered. By the readme of the data set the first fixation is the cross in the middle
that every trial began with: nobody chose it, its authors' own code puts it in the middle and
predicts what follows, and no scanpath here holds it. Fixations off the display are left out as they
are there. `T` may be longer than `X` and `Y`; nothing here reads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seal.evaluation.tasks.display_space import DISPLAY
from seal.evaluation.tasks.entries import Entry
from seal.files.plain_text import read_json_file
from seal.geometry import Box

FILES = "coco_search18_fixations_TP*.json"
KEYS = ("name", "subject", "task", "condition", "bbox", "X", "Y", "correct")

_FAR = 1e6  # pixels; a fixation may lie off the display, but not there

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Trial:
    """One person's search. `scanpath` in pixels of the display, without the first fixation."""

    subject: int
    scanpath: tuple[Point, ...]
    correct: bool  # the target was found, and the person said so


@dataclass(slots=True)
class Sought:
    """One thing in one photograph, and everybody's search for it."""

    name: str  # of the photograph
    task: str  # what was sought
    box: Box  # pixels of the display
    trials: list[Trial] = field(default_factory=list)

    @property
    def scanpaths(self) -> list[tuple[Point, ...]]:
        """Of those who found it, and had to move their eyes to do so."""
        return [trial.scanpath for trial in self.trials if trial.correct and trial.scanpath]


def read_sought(path: Path) -> list[Sought]:
    """What was sought, in the order of the file, or of the files of a folder.

    Raises:
        ValueError: no such file, a trial that is not as it should be, one that is there twice, or
            coordinates that are not of the display.
    """
    paths = [path]
    if path.is_dir():
        paths = sorted(p for p in path.glob(FILES) if not p.name.startswith("._"))
        if not paths:
            raise ValueError(f"{path} has no {FILES}: name the folder or the file of the fixations")
    found: dict[tuple[str, str], Sought] = {}
    starts: list[Point] = []
    for file in paths:
        for entry in _entries(file):
            _add(entry, found, starts)
    if not found:
        raise ValueError(f"{path} has no trial")
    _check_display(path, starts)
    return list(found.values())


def _entries(path: Path) -> list[Entry]:
    content = read_json_file(path)
    if not isinstance(content, list):
        raise ValueError(f"{path}: expected a list of trials, found a {type(content).__name__}")
    entries = []
    for number, trial in enumerate(content, start=1):
        where = f"{path}: trial {number}"
        if not isinstance(trial, dict):
            raise ValueError(
                f"{where}: expected one object with {', '.join(KEYS)}, found a "
                f"{type(trial).__name__}"
            )
        if missing := [key for key in KEYS if key not in trial]:
            raise ValueError(f"{where} lacks {', '.join(missing)}")
        entries.append(Entry(where, trial))
    return entries


def _add(entry: Entry, found: dict[tuple[str, str], Sought], starts: list[Point]) -> None:
    """Read a trial into what is found; `starts` gets its first fixation."""
    condition = entry.content["condition"]
    if condition != "present":
        raise entry.wrong("condition", condition, "present: where nothing is, nothing is found")
    name, task = entry.text("name"), entry.text("task")
    box = Box.from_xywh(*entry.box_numbers("bbox", entry.content["bbox"]))
    if box.x0 < -1 or box.y0 < -1 or box.x1 > DISPLAY[0] + 1 or box.y1 > DISPLAY[1] + 1:
        size = f"{DISPLAY[0]} x {DISPLAY[1]}"
        raise entry.wrong("bbox", entry.content["bbox"], f"a box on the display, {size} pixels")
    fixations = _fixations(entry)
    starts += fixations[:1]
    on_display = tuple(
        (x, y) for x, y in fixations[1:] if 0 <= x < DISPLAY[0] and 0 <= y < DISPLAY[1]
    )
    trial = Trial(_number(entry, "subject"), on_display, _found(entry))
    sought = found.setdefault((name, task), Sought(name, task, box))
    if sought.box != box:
        raise entry.wrong(
            "bbox", entry.content["bbox"], f"the box of the trials before, {sought.box}"
        )
    if any(other.subject == trial.subject for other in sought.trials):
        raise entry.wrong(
            "subject", trial.subject,
            f"each person once for the {task} in {name}; is a trial in two files?",
        )  # fmt: skip
    sought.trials.append(trial)


def _fixations(entry: Entry) -> list[Point]:
    columns = []
    for key in ("X", "Y"):
        column = entry.items(key)
        if not all(_is_number(value) for value in column):
            raise entry.wrong(key, column, "a list of numbers")
        columns.append([float(value) for value in column])
    xs, ys = columns
    length = entry.content.get("length", len(xs))
    if not len(xs) == len(ys) == length:
        raise ValueError(
            f"{entry.where}: {len(xs)} X, {len(ys)} Y and length={length!r} must be as many"
        )
    return list(zip(xs, ys, strict=True))


def _number(entry: Entry, key: str) -> int:
    value = entry.content[key]
    if isinstance(value, bool) or not isinstance(value, int):
        raise entry.wrong(key, value, "a whole number")
    return value


def _found(entry: Entry) -> bool:
    """Whether the person said rightly that the target is there, and had looked at it."""
    correct = entry.content["correct"]
    if correct not in (0, 1):
        raise entry.wrong("correct", correct, "0 or 1")
    looked = entry.content.get("fixOnTarget", True)  # not in every release
    if not isinstance(looked, bool):
        raise entry.wrong("fixOnTarget", looked, "true or false")
    return bool(correct) and looked


def _check_display(path: Path, starts: Sequence[Point]) -> None:
    """Refuse a release in other pixels: every trial begins in the middle of the display."""
    if not starts:
        return
    middle = [sum(column) / len(starts) for column in zip(*starts, strict=True)]
    if any(abs(at / side - 0.5) > 0.2 for at, side in zip(middle, DISPLAY, strict=True)):
        raise ValueError(
            f"{path}: trials begin at ({middle[0]:.0f}, {middle[1]:.0f}) on average, not in the "
            f"middle of {DISPLAY[0]} x {DISPLAY[1]} pixels: are these fixations scaled to another "
            "size (512 x 320)? Give the files in pixels of the display"
        )


def _is_number(value: Any) -> bool:
    """Whether it is one that can be a place; not-a-number is smaller than nothing."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _FAR
