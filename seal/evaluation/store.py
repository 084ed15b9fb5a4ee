"""Predictions on disk: appended as they are made, resumed after a stop, merged from shards."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from seal.evaluation.task import Prediction
from seal.files.whole import write_whole

PREDICTIONS = "predictions.jsonl"
CONFIG = "config.yaml"
METRICS = "metrics.json"
ENVIRONMENT = "environment.json"

Key = tuple[str, ...]


class PredictionStore:
    """The lines of one run. A line is known by its key; one that is there is not made again.

    Lines with an `error` are: what went wrong may have been put right.
    """

    def __init__(
        self, folder: Path, key: Callable[[Prediction], Key], *, rank: int = 0, world_size: int = 1
    ) -> None:
        """With several processes each appends to a file of its own until `merge`."""
        self.folder = folder
        self.key = key
        lines = latest(read_predictions(folder), key).values()
        # By key, what was asked: a line of another question, or of other pixels, answers nothing.
        self._asked = {key(line): line.get("asked") for line in lines if not _failed(line)}
        name = PREDICTIONS if world_size == 1 else f"predictions.rank{rank}.jsonl"
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / name
        _drop_torn_line(self._path)
        if world_size == 1:
            self.gather()

    def gather(self) -> None:
        """Move what shards of a run that was killed left behind to the one file.

        Lines to come stand behind it then, whatever the number of processes, and are the later
        ones. Of several processes one does it, while none writes.
        """
        if any(self.folder.glob("predictions.rank*.jsonl")):
            self.merge({})

    def has(self, key: Key, asked: str) -> bool:
        """Whether there is an answer to exactly this; `asked`: see `content_digest`."""
        return key in self._asked and self._asked[key] == asked

    def changed(self, key: Key, asked: str) -> bool:
        """Whether there is an answer under this key, but to something else."""
        return key in self._asked and self._asked[key] != asked

    def add(self, lines: Iterable[Prediction]) -> None:
        """Append, in one go as far as the system allows, and make sure it is on disk."""
        lines = list(lines)
        left = memoryview("".join(json.dumps(line) + "\n" for line in lines).encode())
        with self._path.open("ab", buffering=0) as file:
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
        for line in lines:
            self._asked[self.key(line)] = line.get("asked")

    def merge(self, order: Mapping[Key, int]) -> list[Prediction]:
        """All lines whose key is in `order`, in that order; shards become one file.

        Lines of questions that were not asked this time stay in the file, behind the others.
        """
        lines = latest(read_predictions(self.folder), self.key)
        wanted = sorted((key for key in lines if key in order), key=lambda key: order[key])
        others = [key for key in lines if key not in order]
        write_text(
            self.folder / PREDICTIONS,
            "".join(json.dumps(lines[key]) + "\n" for key in [*wanted, *others]),
        )
        for path in self.folder.glob("predictions.rank*.jsonl"):
            path.unlink()
        return [lines[key] for key in wanted]


def content_digest(asked: Mapping[str, Any], picture: str) -> str:
    """What a line answers, by content: everything about the question, and its picture's digest."""
    text = json.dumps(asked, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(f"{text}\0{picture}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def require_own_folder(folder: Path, *others: str) -> None:
    """Refuse to write results among somebody else's files of the same names.

    Raises:
        ValueError: the folder has no name, or it holds such files and no configuration of ours.
    """
    if not str(folder).strip() or str(folder) == ".":
        raise ValueError("out= names no folder of its own; give one, such as out=runs/answers")
    config = folder / CONFIG
    ours = config.is_file() and "task_version:" in config.read_text("utf-8", "replace")
    if ours:
        return
    for name in (CONFIG, METRICS, ENVIRONMENT, PREDICTIONS, *others):
        if (folder / name).exists():
            raise ValueError(
                f"{folder / name} is not of an evaluation that was begun here and would be written "
                "over: choose another out=, or move it away"
            )


def latest(lines: Iterable[Prediction], key: Callable[[Prediction], Key]) -> dict[Key, Prediction]:
    """One line of each key: the last, but no error behind an answer to the same thing.

    Shards come in any order.
    """
    chosen: dict[Key, Prediction] = {}
    for line in lines:
        before = chosen.get(key(line))
        if (
            before is None
            or not _failed(line)
            or _failed(before)
            or before.get("asked") != line.get("asked")
        ):
            chosen[key(line)] = line
    return chosen


def read_predictions(folder: Path) -> list[Prediction]:
    """Every whole line of a run folder, shards included; a torn last line is left out."""
    lines: list[Prediction] = []
    paths = [folder / PREDICTIONS, *sorted(folder.glob("predictions.rank*.jsonl"))]
    for path in paths:
        if not path.exists():
            continue
        for number, line in numbered_lines(path):
            if line.endswith("\n"):
                lines.append(json_line(path, number, line))
    return lines


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a JSONL file that are not blank, and where they stand, from 1."""
    # Not `splitlines`: it also splits at U+2028 and the like, which may stand inside a string.
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            try:
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"{path}:{number} is not UTF-8 text ({error.reason}): save the file as UTF-8"
                ) from error
            if line.strip():
                yield number, line


def json_line(path: Path, number: int, line: str) -> dict[str, Any]:
    """The object on a line of a JSONL file."""
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:  # the latter: lists too deep in each other
        raise ValueError(f"{path}:{number} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}:{number}: expected an object {{...}}, got {line.strip()[:80]}")
    return content


def settle(
    folder: Path, config: dict[str, Any], free: Iterable[str], partial: Iterable[str] = ()
) -> None:
    """Write config.yaml; refuse to mix predictions of different settings in one folder.

    free: top-level keys that change how a run is carried out, not what comes out. partial: keys of
    tables of which one run need not know every entry; what either knows is kept.
    """
    path = folder / CONFIG
    config = json.loads(json.dumps(config))  # plain lists and dicts
    if path.exists() and read_predictions(folder):
        before = yaml.safe_load(path.read_text(encoding="utf-8"))
        for key in partial:
            # Both get the entries of either, and keep their own of those that both have.
            before[key] = config[key] | before.get(key, {})
            config[key] = before[key] | config[key]
        for key in sorted({*before, *config} - {*free}):
            if before.get(key) != config.get(key):
                name, old, new = _first_difference(key, before.get(key), config.get(key))
                raise ValueError(
                    f"{folder} holds predictions made with {name}={old!r}, not {new!r}: choose "
                    "another out=, or delete the folder"
                )
    write_text(path, yaml.safe_dump(config, sort_keys=False))


def _first_difference(name: str, old: Any, new: Any) -> tuple[str, Any, Any]:
    """Where two unequal settings differ, in the words of a command line: `search.budget.nodes`."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}, key=str):
            if old.get(key) != new.get(key):
                return _first_difference(f"{name}.{key}", old.get(key), new.get(key))
    return name, old, new


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file whole or not at all."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write under a temporary name and rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text)


def _failed(line: Prediction) -> bool:
    return bool(line.get("error"))


def _drop_torn_line(path: Path) -> None:
    """What a killed process left half-written would spoil the line behind it."""
    if not path.exists():
        return
    text = path.read_bytes()
    whole = text.rfind(b"\n") + 1
    if whole != len(text):
        with path.open("r+b") as file:
            file.truncate(whole)
