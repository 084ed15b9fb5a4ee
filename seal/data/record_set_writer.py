"""Write record sets, shard by shard; nothing bears its final name before the set is whole."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from array import array
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from seal.data.record import SCHEMA, Record
from seal.version import __version__

SET_FILE = "set.json"
PROGRESS_FILE = "progress.partial"
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class RecordWriter:
    """Write one record set.

        with RecordWriter(out, builder="coco", seed=0, image_root=images) as writer:
            writer.write(record)

    Leaving the block with an error keeps nothing, or, with `resume`, what the last `checkpoint`
    saw: a writer of the same set then goes on from there, and the files come out the same.
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
        resume: bool = False,
    ) -> None:
        """`settings`: whatever else made the set what it is; goes to `set.json`."""
        if records_per_shard < 1:
            raise ValueError(f"records_per_shard must be at least 1, got {records_per_shard}")
        self.folder = Path(folder)
        if (self.folder / SET_FILE).exists():
            raise ValueError(f"{self.folder} already holds a record set; choose another folder")
        self.counts: dict[str, int] = {}  # free for the builder: drops by reason and the like
        self.progress = 0  # what the last checkpoint was told; 0: a new set
        self._facts = {
            "schema": SCHEMA,
            "builder": builder,
            "seed": seed,
            "image_root": str(image_root),
            "settings": settings or {},
            "versions": {"seal": __version__, "python": platform.python_version()},
        }
        self._per_shard = records_per_shard
        self._resume = resume
        self._file: IO[bytes] | None = None
        self._in_shard: list[int] = []  # records
        self._ids = _Seen()
        self.contents: dict[str, int] = {}  # what the records hold, added up
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (resume and self._restore()):
            self._remove_partial()

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
        self._close_file()
        if not self._resume:
            self._remove_partial()

    def __len__(self) -> int:
        return sum(self._in_shard)

    def write(self, record: Record) -> None:
        """Append one record; an id may occur once."""
        self.write_line(record.id, record_line(record), record_contents(record))

    def write_line(self, id: str, line: bytes, contents: dict[str, int]) -> None:
        """Append a record that another process encoded: `record_line`, `record_contents`."""
        if not self._ids.add(id):
            raise ValueError(f"record {id!r} occurs twice")
        if self._file is None or self._in_shard[-1] == self._per_shard:
            self._close_file()
            self._in_shard.append(0)
            self._file = self._partial(len(self._in_shard) - 1).open("wb")
        self._file.write(line)
        self._in_shard[-1] += 1
        for name, count in contents.items():
            self.contents[name] = self.contents.get(name, 0) + count

    def checkpoint(self, progress: int) -> None:
        """Note that the set holds everything up to `progress` of the builder's own count."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
        self.progress = progress
        state = {
            "facts": self._facts,
            "per_shard": self._per_shard,
            "progress": progress,
            "counts": self.counts,
            "contents": self.contents,
            "in_shard": self._in_shard,
            "bytes": [self._partial(i).stat().st_size for i in range(len(self._in_shard))],
        }
        _write_whole(self.folder / PROGRESS_FILE, json.dumps(state))

    def discard(self) -> None:
        """Keep nothing for another run: what was read has to change first."""
        self._resume = False

    def close(self) -> None:
        """Give every file its name, `set.json` last."""
        self._close_file()
        shards = []
        for index, records in enumerate(self._in_shard):
            name = f"records-{index:05d}-of-{len(self._in_shard):05d}.jsonl"
            path = self._partial(index).rename(self.folder / name)
            shards.append(
                {
                    "name": name,
                    "records": records,
                    "bytes": path.stat().st_size,
                    "sha256": file_checksum(path),
                }
            )
        description = {
            **self._facts,
            "records": len(self),
            "counts": self.counts,
            "contents": self.contents,
            "shards": shards,
        }
        _write_whole(self.folder / SET_FILE, json.dumps(description, indent=1) + "\n")
        self._remove_partial()

    def _restore(self) -> bool:
        """Go back to the last checkpoint of the same set; False when there is none."""
        path = self.folder / PROGRESS_FILE
        if not path.is_file():
            return False
        state = json.loads(path.read_text(encoding="utf-8"))
        before = _flat(state["facts"]) | {"records_per_shard": state["per_shard"]}
        now = _flat(self._facts) | {"records_per_shard": self._per_shard}
        if other := sorted(k for k in before.keys() | now if before.get(k) != now.get(k)):
            told = ", ".join(f"{k}={now.get(k)!r}, not {before.get(k)!r}" for k in other[:4])
            print(
                f"{self.folder}: what a stopped build left there was made with other settings "
                f"({told}); this one begins anew",
                file=sys.stderr,
            )
            return False
        if "contents" not in state:  # of an older version
            return False
        shards = [(self._partial(index), size) for index, size in enumerate(state["bytes"])]
        if not all(shard.is_file() and shard.stat().st_size >= size for shard, size in shards):
            return False
        for shard, size in shards:
            os.truncate(shard, size)
            with shard.open("rb") as file:
                for line in file:
                    self._ids.add(json.loads(line)["id"])
        self._in_shard = state["in_shard"]
        self.counts = state["counts"]
        self.contents = state["contents"]
        self.progress = state["progress"]
        if self._in_shard:
            self._file = self._partial(len(self._in_shard) - 1).open("ab")
        return True

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())  # a checkpoint relies on the shards before its own
            self._file.close()
            self._file = None

    def _remove_partial(self) -> None:
        for left_over in self.folder.glob("*.partial"):
            left_over.unlink()
        if not (self.folder / SET_FILE).exists():  # a set that died while its files were named
            for left_over in self.folder.glob("records-*-of-*.jsonl"):
                left_over.unlink()

    def _partial(self, shard: int) -> Path:
        return self.folder / f"records-{shard:05d}.partial"


class _Seen:
    """The ids of millions of records, each as an 8-byte hash in an open-addressed table.

    Two of n ids share a hash, and stop a build, with a chance of n^2 / 2^65: 10^-7 for 2 million.
    """

    def __init__(self) -> None:
        self._table = array("Q", bytes(8 * 1024))  # 0: free
        self._count = 0

    def add(self, id: str) -> bool:
        """Whether it is new."""
        digest = hashlib.blake2b(id.encode("utf-8"), digest_size=8).digest()
        if not self._put(int.from_bytes(digest, "little") or 1):
            return False
        self._count += 1
        if 2 * self._count > len(self._table):
            held = self._table
            self._table = array("Q", bytes(8 * 2 * len(held)))
            for value in held:
                if value:
                    self._put(value)
        return True

    def _put(self, value: int) -> bool:
        table = self._table
        mask = len(table) - 1
        place = value & mask
        while (other := table[place]) != 0:
            if other == value:
                return False
            place = (place + 1) & mask
        table[place] = value
        return True


def record_line(record: Record) -> bytes:
    """The record as it stands in a shard."""
    return _ENCODER.encode(record.to_json()).encode("utf-8") + b"\n"


def record_contents(record: Record) -> dict[str, int]:
    """What a record holds, for counting; nothing that it holds none of."""
    expressions = record.expressions
    counts = {
        "turns": len(record.turns),
        "targets": len(record.targets),
        "expressions": len(expressions),
        "expressions absent from their image": sum(e.boxes == () for e in expressions),
        "expressions without box supervision": sum(e.boxes is None for e in expressions),
        "expressions with a mask": sum(e.mask is not None for e in expressions),
        "boxes": sum(len(e.boxes or ()) for e in expressions),
    }
    return {name: count for name, count in counts.items() if count}


def file_checksum(path: Path) -> str:
    """SHA-256 of a file, as text."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _write_whole(path: Path, text: str) -> None:
    """Write under another name and rename: readers see the old file or the new one."""
    partial = path.with_name(f"{path.name}.new.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def _flat(facts: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by their full keys, as JSON has them."""
    flat: dict[str, Any] = {}
    for key, value in json.loads(json.dumps(facts)).items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
