"""Record sets on disk: a folder of JSONL shards and a `set.json` that describes them."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

import seal
from seal.data.record import (
    ASSISTANT,
    HUMAN,
    SCHEMA,
    Expression,
    Message,
    Record,
    RecordTarget,
)

__all__ = [
    "ASSISTANT",
    "HUMAN",
    "Expression",
    "Message",
    "Record",
    "RecordSet",
    "RecordTarget",
    "RecordWriter",
]

SET_FILE = "set.json"


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
        try:
            description = json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise ValueError(f"{path} is not JSON: {error}") from error
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
            if (found := _sha256(path)) != shard["sha256"]:
                raise ValueError(
                    f"{path}: checksum {found}, {SET_FILE} says {shard['sha256']}: "
                    "build the set again"
                )


class RecordWriter:
    """Write a record set; nothing bears its final name before `close`.

        with RecordWriter(out, builder="coco", seed=0, image_root=images) as writer:
            writer.write(record)

    Leaving the block with an error keeps no half-made set.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        builder: str,
        seed: int,
        image_root: str | Path,
        records_per_shard: int = 10_000,
        settings: dict[str, Any] | None = None,
    ) -> None:
        """`settings`: whatever else made the set what it is; goes to `set.json`."""
        if records_per_shard < 1:
            raise ValueError(f"records_per_shard must be at least 1, got {records_per_shard}")
        self.folder = Path(folder)
        if (self.folder / SET_FILE).exists():
            raise ValueError(f"{self.folder} already holds a record set; choose another folder")
        self.counts: dict[str, int] = {}  # free for the builder: drops by reason and the like
        self._facts = {
            "builder": builder,
            "seed": seed,
            "image_root": str(image_root),
            "settings": settings or {},
        }
        self._per_shard = records_per_shard
        self._file: IO[bytes] | None = None
        self._in_shard: list[int] = []
        self._ids: set[str] = set()
        self.folder.mkdir(parents=True, exist_ok=True)
        for left_over in self.folder.glob("records-*.partial"):
            left_over.unlink()

    def __enter__(self) -> RecordWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
            return
        if self._file is not None:
            self._file.close()
        for index in range(len(self._in_shard)):
            self._partial(index).unlink(missing_ok=True)

    def __len__(self) -> int:
        return sum(self._in_shard)

    def write(self, record: Record) -> None:
        """Append one record; an id may occur once."""
        if record.id in self._ids:
            raise ValueError(f"record {record.id!r} occurs twice")
        self._ids.add(record.id)
        if self._file is None or self._in_shard[-1] == self._per_shard:
            if self._file is not None:
                self._file.close()
            self._in_shard.append(0)
            self._file = self._partial(len(self._in_shard) - 1).open("wb")
        line = json.dumps(record.to_json(), ensure_ascii=False, separators=(",", ":"))
        self._file.write(line.encode("utf-8") + b"\n")
        self._in_shard[-1] += 1

    def close(self) -> None:
        """Give every file its name, `set.json` last."""
        if self._file is not None:
            self._file.close()
        shards = []
        for index, records in enumerate(self._in_shard):
            name = f"records-{index:05d}-of-{len(self._in_shard):05d}.jsonl"
            path = self._partial(index).rename(self.folder / name)
            shards.append(
                {
                    "name": name,
                    "records": records,
                    "bytes": path.stat().st_size,
                    "sha256": _sha256(path),
                }
            )
        versions = {"seal": seal.__version__, "python": platform.python_version()}
        description = {
            "schema": SCHEMA,
            "records": len(self),
            "counts": self.counts,
            **self._facts,
            "versions": versions,
            "shards": shards,
        }
        partial = self.folder / f"{SET_FILE}.partial"
        partial.write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
        partial.rename(self.folder / SET_FILE)

    def _partial(self, shard: int) -> Path:
        return self.folder / f"records-{shard:05d}.partial"


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


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
