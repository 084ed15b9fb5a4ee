"""The authors' six files to record sets, and record sets to their six files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from seal.building.formats.image_lookup import CORRUPT, MISSING
from seal.building.records.check import find_sets
from seal.building.records.report import write_report
from seal.building.records.source_files import require_folder
from seal.building.records.writer import require_name
from seal.data.interchange import (
    AUTHORS_FILES,
    GIVEN_ID,
    from_authors,
    read_entries,
    write_authors,
)
from seal.data.record_set import Record, RecordSet, RecordWriter
from seal.files.digest import file_facts

_OURS = {theirs: ours for ours, theirs in AUTHORS_FILES.items()}


@dataclass(kw_only=True, slots=True)
class InterchangeConfig:
    """What data_builders/interchange is told."""

    records: Any  # to=ours: a file of theirs or a folder of them; to=authors: sets of ours
    out: str  # the folder that everything goes below
    to: str = "ours"  # ours | authors
    # The folder that `image` of their entries is relative to. to=authors: None writes it relative
    # to each set's own image root.
    images: str | None = None
    license: str = "unknown"  # of what is read; their form names none
    limit: int | None = None  # entries or records of each file; None: all
    max_dropped: float = 0.01  # share of entries that may be unusable before this fails
    report_samples: int = 24  # records shown in report.html

    def __post_init__(self) -> None:
        require_name("out", self.out)
        for path in self.paths():
            if path == Path():  # what an empty text becomes
                raise ValueError("records= is empty; is a variable of the shell not set?")
        if self.to not in ("ours", "authors"):
            raise ValueError(f"to={self.to!r} is neither ours nor authors")
        if self.to == "ours" and self.images is None:
            raise ValueError("to=ours needs images=, the folder that their image paths begin at")
        if self.images is not None:
            require_folder("images", self.images)
        for name, least in (("limit", 1), ("max_dropped", 0), ("report_samples", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name}={value} must be at least {least}")

    def paths(self) -> list[Path]:
        """The files or folders that were named."""
        named = self.records if isinstance(self.records, list) else [self.records]
        return [Path(str(name)) for name in named]


def interchange(config: InterchangeConfig) -> list[str]:
    """Convert everything; return a line for each set or file that was written."""
    return _from_authors(config) if config.to == "ours" else _to_authors(config)


def _from_authors(config: InterchangeConfig) -> list[str]:
    lines = []
    for path in _their_files(config.paths()):
        name = _OURS.get(path.stem, path.stem)
        folder = Path(config.out) / name / "train"
        with RecordWriter(
            folder,
            builder="interchange",
            seed=0,
            image_root=Path(str(config.images)).resolve(),
            settings={"file": file_facts(path), "limit": config.limit},
        ) as writer:
            writer.counts["items read"] = 0
            for record in _usable(path, name, config, writer):
                writer.write(record)
            writer.counts["records written"] = len(writer)
            dropped = writer.counts["items read"] - len(writer)
            if len(writer) == 0 or dropped > config.max_dropped * writer.counts["items read"]:
                raise ValueError(
                    f"{path}: {dropped} of {writer.counts['items read']} entries are unusable, "
                    f"more than max_dropped={config.max_dropped:g} allows: {writer.counts}"
                )
        records = RecordSet.open(folder)
        write_report(records, samples=config.report_samples)
        lines.append(f"{len(records)} records, {dropped} entries dropped: {folder}")
    return lines


def _their_files(paths: list[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        found = sorted(path.glob("*.json")) if path.is_dir() else [path]
        if not found or not all(file.is_file() for file in found):
            raise ValueError(f"records={path}: no JSON file there")
        files += found
    return files


def _usable(
    path: Path, name: str, config: InterchangeConfig, writer: RecordWriter
) -> Iterator[Record]:
    """The records of a file; what cannot be one is counted by reason."""
    counts = writer.counts
    ids: Counter[str] = Counter()
    for index, entry in tqdm(read_entries(path), path.name, unit="entry"):
        if index == config.limit:
            break
        counts["items read"] += 1
        try:
            record = from_authors(
                entry,
                str(config.images),
                name=f"{name}-{index}",
                source=name,
                license=config.license,
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            reason = _reason(error)
            counts[reason] = counts.get(reason, 0) + 1
            continue
        # LLaVA names several conversations about an image by the image's id.
        ids[record.id] += 1
        if ids[record.id] > 1:
            meta = {GIVEN_ID: record.id, **record.meta}
            record = replace(record, id=f"{record.id}#{ids[record.id]}", meta=meta)
        yield record


def _reason(error: Exception) -> str:
    text = str(error)
    if isinstance(error, KeyError):
        return f"entry without {text}"
    if text.startswith("entry with "):
        return text.partition(":")[0]
    if "does not exist" in text:  # see `seal.images.files`
        return MISSING
    if "not an image" in text or "the image is damaged" in text:
        return CORRUPT
    if text.startswith("record "):
        return "entry that breaks a rule of records"
    return "malformed entry"


def _to_authors(config: InterchangeConfig) -> list[str]:
    lines = []
    written: dict[Path, Path] = {}
    for folder in find_sets(config.paths()):
        records = RecordSet.open(folder)
        parts = folder.resolve().parts
        name = next((part for part in reversed(parts) if part in AUTHORS_FILES), None)
        stem = AUTHORS_FILES[name] if name is not None else parts[-1]
        path = Path(config.out) / f"{stem}.json"
        if path in written:
            raise ValueError(f"{folder} and {written[path]} would both become {path}")
        written[path] = folder
        count = write_authors(path, _relocated(records, config))
        lines.append(f"{count} entries: {path}")
    return lines


def _relocated(records: RecordSet, config: InterchangeConfig) -> Iterator[Record]:
    prefix = None
    if config.images is not None:
        prefix = os.path.relpath(records.image_root.resolve(), Path(config.images).resolve())
        if prefix.startswith(".."):
            raise ValueError(
                f"{records.folder}: its images lie in {records.image_root}, which is not below "
                f"images={config.images}"
            )
    for index, record in enumerate(tqdm(records, records.folder.name, len(records))):
        if index == config.limit:
            return
        if prefix is not None and record.image is not None:
            record = replace(record, image=Path(prefix, record.image).as_posix())
        yield record
