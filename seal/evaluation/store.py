"""Predictions on disk: appended as they are made, resumed after a stop, merged from shards."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from seal.evaluation.task import Prediction

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
        self.done: set[Key] = {key(line) for line in read_predictions(folder) if not _failed(line)}
        name = PREDICTIONS if world_size == 1 else f"predictions.rank{rank}.jsonl"
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / name
        _drop_torn_line(self._path)

    def add(self, lines: Iterable[Prediction]) -> None:
        """Append, and make sure it is on disk."""
        with self._path.open("a", encoding="utf-8") as file:
            for line in lines:
                file.write(json.dumps(line) + "\n")
                self.done.add(self.key(line))
            file.flush()
            os.fsync(file.fileno())

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


def latest(lines: Iterable[Prediction], key: Callable[[Prediction], Key]) -> dict[Key, Prediction]:
    """One line of each key: the last, but no error behind an answer (shards come in any order)."""
    chosen: dict[Key, Prediction] = {}
    for line in lines:
        if key(line) not in chosen or not _failed(line) or _failed(chosen[key(line)]):
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
            if not line.endswith("\n"):
                continue
            try:
                lines.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise ValueError(f"{path}:{number} is not JSON: {error}") from error
    return lines


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a JSONL file that are not blank, and where they stand, from 1."""
    # Not `splitlines`: it also splits at U+2028 and the like, which may stand inside a string.
    with path.open(encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, line


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
                raise ValueError(
                    f"{folder} holds predictions made with {key}={before.get(key)!r}, not "
                    f"{config.get(key)!r}: choose another out=, or delete the folder"
                )
    write_text(path, yaml.safe_dump(config, sort_keys=False))


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file whole or not at all."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write under a temporary name and rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


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
