"""Write record sets, shard by shard; nothing bears its final name before the set is whole."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from seal.data.record import SCHEMA, Record
from seal.data.seen_ids import SeenIds
from seal.files.digest import file_digest
from seal.files.lock import WriterLock
from seal.files.whole import write_whole
from seal.version import __version__

SET_FILE = "set.json"
PROGRESS_FILE = "progress.partial"
_FINAL = re.compile(r"records-(\d{5})-of-\d{5}\.jsonl")
# Names that only a set has: its shards, before and after they are named, and its report.
_RESERVED = re.compile(r"records-\d{5}(\.partial|-of-\d{5}\.jsonl)|report\.html")
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class RecordWriter:
    """Write one record set.

        with RecordWriter(out, builder="coco", seed=0, image_root=images) as writer:
            writer.write(record)

    Leaving the block with an error keeps nothing, or, with `resume`, what the last `checkpoint`
    saw: a writer of the same set then goes on from there, and the files come out the same.

    Inside the block nobody else can write to the folder. Of the files there, only those that
    `progress.partial` lists as written by such a build are ever removed or written over.
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
        if not str(folder).strip():
            raise ValueError("the folder of the set has an empty name: out=FOLDER")
        self.folder = Path(folder)
        self.counts: dict[str, int] = {}  # free for the builder: drops by reason and the like
        self.examples: dict[str, list[str]] = {}  # the first of each drop: which, and why
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
        self._lock = WriterLock(folder, "build")
        self._file: IO[bytes] | None = None
        self._in_shard: list[int] = []  # records
        self._ids = SeenIds()
        self._own: list[str] = []  # names of the files that were written, or will be next
        self._saved: dict[str, Any] = {}  # the last checkpoint
        self.contents: dict[str, int] = {}  # what the records hold, added up

    def __enter__(self) -> RecordWriter:
        """Take the folder.

        Raises:
            ValueError: it holds a set, or files of names that the set needs and that no stopped
                build left, or it cannot be written to.
            InUseError: another build writes there.
        """
        self._lock.acquire()
        try:
            if (self.folder / SET_FILE).exists():
                raise ValueError(f"{self.folder} already holds a record set; choose another folder")
            left = self._left_behind()
            self._own = _names_in(left)
            self._refuse_foreign()
            self._take_names_back(left)
            if not (self._resume and self._restore(left)):
                self._remove_own()
                self._note()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self.close()
                return
            with suppress(ValueError, OSError):  # a full disk: `error` says so already
                self._close_file()
            if not self._resume:
                self._remove_own()
        finally:
            self._lock.release()

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
            self._begin_shard()
        assert self._file is not None
        try:
            self._file.write(line)
        except OSError as error:
            raise self._unwritable(error) from error
        self._in_shard[-1] += 1
        for name, count in contents.items():
            self.contents[name] = self.contents.get(name, 0) + count

    def checkpoint(self, progress: int) -> None:
        """Note that the set holds everything up to `progress` of the builder's own count."""
        if self._file is not None:
            self._flush()
        self.progress = progress
        self._saved = {
            "progress": progress,
            "counts": dict(self.counts),
            "examples": {reason: list(places) for reason, places in self.examples.items()},
            "contents": dict(self.contents),
            "in_shard": list(self._in_shard),
            "bytes": [self._partial(i).stat().st_size for i in range(len(self._in_shard))],
        }
        self._note()

    def discard(self) -> None:
        """Keep nothing for another run: what was read has to change first."""
        self._resume = False

    def close(self) -> None:
        """Give every file its name, `set.json` last."""
        self._close_file()
        shards = []
        names = [self._final(index) for index in range(len(self._in_shard))]
        for index, records in enumerate(self._in_shard):
            path = self._partial(index)
            shards.append(
                {
                    "name": names[index],
                    "records": records,
                    "bytes": path.stat().st_size,
                    "sha256": file_digest(path),
                }
            )
        self._own += names
        self._note()  # a run that dies now leaves shards of both names
        for index, name in enumerate(names):
            self._partial(index).rename(self.folder / name)
        description = {
            **self._facts,
            "records": len(self),
            "counts": self.counts,
            "examples": self.examples,
            "contents": self.contents,
            "shards": shards,
        }
        write_whole(self.folder / SET_FILE, json.dumps(description, indent=1) + "\n")
        (self.folder / PROGRESS_FILE).unlink(missing_ok=True)

    def _left_behind(self) -> dict[str, Any]:
        """What `progress.partial` of a stopped build says; empty where there is none."""
        path = self.folder / PROGRESS_FILE
        if not path.exists():
            return {}
        try:
            left = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(left, dict) and isinstance(left["facts"], dict):
                return left
        except (OSError, ValueError, KeyError):
            pass
        raise ValueError(
            f"{path} is no note of a stopped build, or a damaged one: move it and what belongs to "
            "it away, or choose another folder"
        )

    def _refuse_foreign(self) -> None:
        for path in sorted(self.folder.iterdir()):
            if _RESERVED.fullmatch(path.name) and path.name not in self._own:
                raise ValueError(
                    f"{path} is in the way: the set needs this name, and no stopped build left the "
                    "file; move it or choose another folder"
                )

    def _take_names_back(self, left: dict[str, Any]) -> None:
        """Undo the naming of a build that died while its files got their names."""
        for name in _names_in(left):
            if (named := _FINAL.fullmatch(name)) and (self.folder / name).is_file():
                (self.folder / name).rename(self._partial(int(named[1])))

    def _restore(self, left: dict[str, Any]) -> bool:
        """Go back to the last checkpoint of the same set; False when there is none."""
        if not left:
            return False
        before = _flat(left["facts"]) | {"records_per_shard": left.get("per_shard")}
        now = _flat(self._facts) | {"records_per_shard": self._per_shard}
        if other := sorted(k for k in before.keys() | now if before.get(k) != now.get(k)):
            told = ", ".join(_difference(k, now.get(k), before.get(k)) for k in other[:4])
            print(
                f"{self.folder}: what a stopped build left there was made with other settings "
                f"({told}); this one begins anew",
                file=sys.stderr,
            )
            return False
        state = left.get("saved")
        if not state:  # stopped before its first checkpoint, or of an older version
            return False
        shards = [(self._partial(index), size) for index, size in enumerate(state["bytes"])]
        if not all(shard.is_file() and shard.stat().st_size >= size for shard, size in shards):
            return False
        for shard, size in shards:
            os.truncate(shard, size)
            with shard.open("rb") as file:
                for line in file:
                    self._ids.add(json.loads(line)["id"])
        self._saved = state
        self._in_shard = list(state["in_shard"])
        self.counts = dict(state["counts"])
        self.examples = dict(state["examples"])
        self.contents = dict(state["contents"])
        self.progress = state["progress"]
        if self._in_shard:
            self._file = self._partial(len(self._in_shard) - 1).open("ab")
        return True

    def _begin_shard(self) -> None:
        self._close_file()
        self._in_shard.append(0)
        path = self._partial(len(self._in_shard) - 1)
        if path.name not in self._own:
            self._own.append(path.name)
            self._note()  # before the file is there, so that no file is there without it
        try:
            self._file = path.open("wb")
        except OSError as error:
            raise self._unwritable(error) from error

    def _note(self) -> None:
        """Write down which files are ours, and the last checkpoint."""
        note = {
            "facts": self._facts,
            "per_shard": self._per_shard,
            "files": self._own,
            "saved": self._saved,
        }
        write_whole(self.folder / PROGRESS_FILE, json.dumps(note))

    def _flush(self) -> None:
        assert self._file is not None
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._unwritable(error) from error

    def _close_file(self) -> None:
        if self._file is not None:
            self._flush()  # a checkpoint relies on the shards before its own
            self._file.close()
            self._file = None

    def _unwritable(self, error: OSError) -> ValueError:
        path = self._partial(len(self._in_shard) - 1)
        return ValueError(
            f"{path} cannot be written: {error.strerror or error}; the same line goes on from "
            "what is written when there is room again"
        )

    def _remove_own(self) -> None:
        for name in [*self._own, PROGRESS_FILE]:
            (self.folder / name).unlink(missing_ok=True)
        self._own = []

    def _partial(self, shard: int) -> Path:
        return self.folder / f"records-{shard:05d}.partial"

    def _final(self, shard: int) -> str:
        return f"records-{shard:05d}-of-{len(self._in_shard):05d}.jsonl"


def _names_in(left: dict[str, Any]) -> list[str]:
    """The files that a note of a stopped build lists; an older one lists only how many."""
    if not left:
        return []
    if "files" in left:
        return [name for name in left["files"] if _RESERVED.fullmatch(str(name))]
    return [f"records-{shard:05d}.partial" for shard in range(len(left.get("in_shard", [])) + 1)]


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


def _difference(key: str, now: Any, before: Any) -> str:
    if key.endswith(".sha256"):
        return f"{key.removesuffix('.sha256')} has other content"
    return f"{key}={now!r}, not {before!r}"


def _flat(facts: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by their full keys, as JSON has them."""
    flat: dict[str, Any] = {}
    for key, value in json.loads(json.dumps(facts)).items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
