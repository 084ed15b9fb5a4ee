"""The files of a built set, cut into chunks of lines while their checksums are taken."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seal.data.record_set_writer import SET_FILE

_LINES = 256  # of a chunk


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some lines of a shard."""

    shard: Path
    start: int  # byte
    stop: int
    line: int  # number of the first


class Shard:
    """A file of a set, cut into chunks while its checksum is taken."""

    def __init__(self, folder: Path, facts: dict[str, Any]) -> None:
        self.path = folder / facts["name"]
        self.facts = facts
        self.problems: list[tuple[str, str]] = []

    def chunks(self) -> Iterator[Chunk]:
        digest = hashlib.sha256()
        start = stop = 0
        line = first = 1
        if not self.path.is_file():
            self.problems.append(("shard missing", f"{SET_FILE} lists it, it is not there"))
            return
        raw = b"\n"
        with self.path.open("rb") as file:
            for raw in file:
                digest.update(raw)
                stop += len(raw)
                line += 1
                if line - first == _LINES:
                    yield Chunk(self.path, start, stop, first)
                    start, first = stop, line
        if stop > start:
            yield Chunk(self.path, start, stop, first)
        if not raw.endswith(b"\n"):
            self.problems.append(("last line is cut off", f"line {line - 1}"))
        for name, found in (
            ("bytes", stop), ("records", line - 1), ("sha256", digest.hexdigest()),
        ):  # fmt: skip
            if self.facts.get(name) != found:
                message = f"{name} {found}, {SET_FILE} says {self.facts.get(name)}"
                self.problems.append(("file differs from set.json", message))
