"""Read record sets: folders of JSONL shards with a `set.json` that describes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seal.data.record import (
    ASSISTANT,
    HUMAN,
    SCHEMA,
    Expression,
    Message,
    Record,
    RecordTarget,
)
from seal.data.record_set_writer import (
    SET_FILE,
    RecordWriter,
    record_contents,
    record_line,
)
from seal.files.digest import file_digest
from seal.files.plain_text import read_json_file

__all__ = [
    "ASSISTANT",
    "HUMAN",
    "Expression",
    "Message",
    "Record",
    "RecordSet",
    "RecordTarget",
    "RecordWriter",
    "record_contents",
    "record_line",
]


class RecordSet:
    """Random access to the records of a built set; every error names the file and the line."""

    def __init__(
        self, folder: Path, shards: list[Path], image_root: Path, description: dict[str, Any]
    ) -> None:
        self.folder = folder
        self.image_root = image_root
        self.description = description  # `set.json`
        self._shards = shards
        self._offsets = [_line_offsets(shard) for shard in shards]  # bytes
        self._starts = np.cumsum([0, *(len(offsets) for offsets in self._offsets)])

    @classmethod
    def open(cls, folder: str | Path, image_root: str | Path | None = None) -> RecordSet:
        """The set in `folder`. `image_root` overrides where its images lie.

        A relative root in `set.json` is relative to the set, which can then move with its images.
        """
        folder = Path(folder)
        path = folder / SET_FILE
        if not path.is_file():
            raise ValueError(f"{folder} is not a record set: it has no {SET_FILE}")
        description = read_json_file(path)
        if not isinstance(description, dict):
            raise ValueError(f"{path} holds {type(description).__name__}, not a set's description")
        if description.get("schema") != SCHEMA:
            raise ValueError(
                f"{path}: schema {description.get('schema')!r}; this version reads {SCHEMA}"
            )
        shards = []
        for shard in description["shards"]:
            shards.append(folder / shard["name"])
            if not shards[-1].is_file():
                raise ValueError(f"{path} lists {shard['name']}, which is not there")
            if (size := shards[-1].stat().st_size) != shard["bytes"]:
                raise ValueError(
                    f"{shards[-1]} has {size} bytes, {SET_FILE} says {shard['bytes']}: "
                    "build the set again"
                )
        root = folder / (description["image_root"] if image_root is None else image_root)
        records = cls(folder, shards, root, description)
        if len(records) != description["records"]:
            raise ValueError(
                f"{folder} has {len(records)} records, {SET_FILE} says {description['records']}"
            )
        return records

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, index: int) -> Record:
        if not 0 <= index < len(self):
            raise IndexError(f"{self.folder}: no record {index} among {len(self)}")
        shard = int(np.searchsorted(self._starts, index, side="right")) - 1
        line = index - int(self._starts[shard])
        with self._shards[shard].open("rb") as file:
            file.seek(int(self._offsets[shard][line]))
            raw = file.readline()
        return _parse(raw, self._shards[shard], line + 1)

    def __iter__(self) -> Iterator[Record]:
        for shard in self._shards:
            with shard.open("rb") as file:
                for number, raw in enumerate(file, start=1):
                    yield _parse(raw, shard, number)

    def where(self, index: int) -> str:
        """`file:line` of a record, for messages."""
        shard = int(np.searchsorted(self._starts, index, side="right")) - 1
        return f"{self._shards[shard]}:{index - int(self._starts[shard]) + 1}"

    def image_path(self, record: Record) -> Path | None:
        """Where the record's image lies; None for text."""
        return None if record.image is None else self.image_root / record.image

    def verify(self) -> None:
        """Compare every shard with its checksum."""
        for shard, path in zip(self.description["shards"], self._shards, strict=True):
            if (found := file_digest(path)) != shard["sha256"]:
                raise ValueError(
                    f"{path}: checksum {found}, {SET_FILE} says {shard['sha256']}: "
                    "build the set again"
                )


def _parse(raw: bytes, path: Path, line: int) -> Record:
    try:
        return Record.from_json(json.loads(raw))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}:{line}: not UTF-8: {error}") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}:{line}: not JSON: {error}") from error
    except ValueError as error:
        raise ValueError(f"{path}:{line}: {error}") from error


def _line_offsets(path: Path) -> NDArray[np.int64]:
    """Where each line starts, bytes; a last line without its newline is a truncated file."""
    offsets = [0]
    with path.open("rb") as file:
        for raw in file:
            offsets.append(offsets[-1] + len(raw))
            if not raw.endswith(b"\n"):
                raise ValueError(f"{path}:{len(offsets) - 1}: the last line is cut off")
    return np.array(offsets[:-1], dtype=np.int64)
