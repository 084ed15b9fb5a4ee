"""Damage a builder's source and judge what it makes of it.

A build ends in an error of one line that names a file of the source, or in a set. Its records are
those of the undamaged source, but for items whose own entries changed, and there only as far as
the changed values say. What is not there is counted.
"""

from __future__ import annotations

import json
import math
import shutil
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from types import FrameType
from typing import Any

import numpy as np
from fuzz_mutations import mutate
from fuzz_sources import SOURCES, FuzzSource

from seal.building.formats.safe_pickle import load_plain
from seal.building.records.check import CheckConfig, check_set
from seal.data.chat import expanded_turns
from seal.data.masks import rle_to_mask
from seal.data.record_set import Record, RecordSet
from seal.images import open_image

SECONDS = 20  # of one case
LONGEST = 2000  # characters of a message
_MOST_PIXELS = 1e6  # a larger coordinate is a mistake that can be seen
_IDS = frozenset(
    {"id", "image_id", "imageId", "instance_id", "ann_id", "ref_id", "sent_id", "category_id"}
    | {"license", "original_id", "original_img_id", "neg_category_ids"}
    | {"not_exhaustive_category_ids"}
)
_ARRAYS = frozenset({"images", "annotations", "categories", "licenses"})
_BOXES = frozenset({"bbox", "instance_bbox", "x", "y", "w", "h"})
_UNREAD = frozenset({"area", "semantic", "attributes", "relations", "isBalanced"})
_FLAGS = frozenset({"iscrowd"})


@dataclass
class Change:
    """A value that is another one in the damaged document; `...` where there is none."""

    owners: set[str] | None
    path: tuple[Any, ...]
    old: Any
    new: Any


class Clean:
    """An undamaged source and its records."""

    def __init__(self, source: FuzzSource, folder: Path) -> None:
        self.source = source
        self.folder = folder / "clean"
        self.folder.mkdir(parents=True)
        source.write(self.folder)
        self.documents = read_documents(source, self.folder)
        self.universe: dict[str, set[str]] = {}  # owner -> what its records may hold
        for seed in range(8):
            config = replace(source.config(self.folder), out=str(folder / f"{seed}"), seed=seed)
            records = list(source.build(config))
            if seed == 0:
                self.records = by_owner(source, records)
            for record in records:
                self.universe.setdefault(source.owner(record), set()).update(parts(record))
        self.files = sorted(p for p in self.folder.rglob("*") if p.is_file())
        self.photos = [
            str(p.relative_to(self.folder))
            for p in self.files
            if p.suffix in (".png", ".jpg") and p.parent.name != "maps"
        ]


def run_case(clean: Clean, folder: Path, seed: tuple[int, ...]) -> str:
    """Damage, build, judge. How it ended; AssertionError: not as it should, and what was done."""
    source, rng = clean.source, np.random.default_rng(seed)
    place = folder / "source"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(clean.folder, place)
    pictures = [*source.maps, str(rng.choice(clean.photos))]
    group = source.documents if rng.random() < 0.8 else pictures
    name = str(rng.choice(np.array(group)))
    what = f"{source.name}: {name}: {mutate(place / name, rng)}"
    lenient = 1.0 if rng.random() < 0.5 else 0.01
    config = replace(source.config(place), out=str(folder / "out"), max_corrupt=lenient)
    try:
        with time_limit(SECONDS):
            records = source.build(config)
    except (ValueError, FileNotFoundError) as error:
        check_message(str(error), clean, place, what)
        return "error"
    except Exception as error:
        raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error
    try:
        return judge(clean, place, name, records)
    except (AssertionError, ValueError) as error:
        raise AssertionError(f"{what}: {error}") from error


def check_message(message: str, clean: Clean, place: Path, what: str) -> None:
    names = [str(place / p.relative_to(clean.folder)) for p in clean.files] + [str(place)]
    assert any(name in message for name in names), f"{what}: names no file: {message[:400]}"
    assert "\n" not in message and len(message) <= LONGEST, (
        f"{what}: no short line: {message[:400]!r}"
    )


def judge(clean: Clean, place: Path, name: str, records: RecordSet) -> str:
    source = clean.source
    found = list(records)
    for record in found:
        check_record(record, records)
    report = check_set(records.folder, CheckConfig(records=str(records.folder), images=True))
    assert not report.kinds, report.first
    documents = read_documents(source, place)
    assert None not in documents.values(), f"a set from {(place / name).read_bytes()[-300:]!r}"
    made = by_owner(source, found)
    check_counts(source, documents, records, len(found) if source.single else len(made))
    changes, shifted = changed(clean, documents, name)
    affected = {o for c in changes for o in c.owners or ()}
    every = any(c.owners is None for c in changes)
    for owner in made.keys() | clean.records.keys():
        old, new = clean.records.get(owner, []), made.get(owner, [])
        if old == new or (masks_change(changes) and present(old) == present(new)):
            continue
        if every or owner in affected:
            if not new:
                continue
            own = [c for c in changes if c.owners is None or owner in c.owners]
            if wrong := [c for c in own if not plausible(c, source.optional)]:
                c = wrong[0]
                raise AssertionError(
                    f"{c.path!s}: {str(c.old)[:60]!r} became {str(c.new)[:60]!r}, and of "
                    f"{old} came {new}"
                )
        elif shifted:
            assert not {p for r in new for p in parts(r)} - clean.universe.get(owner, set()), (
                f"{owner}: {old} became {new}"
            )
        else:
            raise AssertionError(f"{owner} has nothing to do with it: {old} became {new}")
    if made == clean.records:
        return "unchanged"
    return "skipped" if made.keys() < clean.records.keys() else "changed"


def check_record(record: Record, records: RecordSet) -> None:
    """More than a record checks itself."""
    line = json.dumps(record.to_json(), allow_nan=False, ensure_ascii=False)
    line.encode("utf-8")
    assert record.image is None or not (
        PurePosixPath(record.image).is_absolute() or ".." in PurePosixPath(record.image).parts
    ), f"image outside its folder: {record.image}"
    path = records.image_path(record)
    if path is not None:
        assert open_image(path).size == (record.width, record.height), "another image size"
    for box in [t.box for t in record.targets] + [
        box for e in record.expressions for box in e.boxes or ()
    ]:
        assert 0 <= box.x0 < box.x1 <= record.width and 0 <= box.y0 < box.y1 <= record.height
    unboxed = all(e.boxes is None for e in record.expressions)  # a source of masks alone
    for expression in record.expressions:
        if expression.mask is not None:
            mask = rle_to_mask(expression.mask)
            assert mask.shape == (record.height, record.width)
            assert set(np.unique(mask)) <= {0, 1}
            absent = expression.boxes == () or unboxed
            assert mask.any() or absent, "an empty mask of what is there"
    if record.conversations:
        expanded_turns(record)
    text = [t.name for t in record.targets] + [e.text for e in record.expressions]
    assert all(t == " ".join(t.split()) and "\0" not in t for t in text), f"names {text}"


def check_counts(
    source: FuzzSource, documents: dict[str, Any], records: RecordSet, made: int
) -> None:
    counts = records.description["counts"]
    items = source.items(documents)
    assert counts["items read"] == items, f"{items} items, counted {counts}"
    assert counts["records written"] == len(records)
    dropped = sum(count for reason, count in counts.items() if reason in source.drops)
    ok = items - made == dropped if source.one_for_one else items - made <= dropped
    assert ok, f"{items} items, {made} of them with records, dropped {dropped}: {counts}"


def changed(clean: Clean, documents: dict[str, Any], name: str) -> tuple[list[Change], bool]:
    """What differs, and whether items changed their places."""
    source = clean.source
    if name not in documents:  # a picture
        owners = {o for o, rs in clean.records.items() if any(_shows(r, name) for r in rs)}
        # A photo says nothing but its size.
        return [Change(owners, (name,), 1, 1 if source.size_from_file else None)], False
    old, new = clean.documents[name], documents[name]
    if isinstance(old, bytes):
        return ([Change(None, (name,), 0, 1)] if old != new else []), False
    changes: list[Change] = []
    shifted = False
    if type(old) is not type(new):
        return [Change(None, (name,), old, new)], True
    arrays = {"": (old, new)}
    if isinstance(old, dict) and "annotations" in old:
        arrays = {}
        for key in old.keys() | new.keys():
            a, b = old.get(key, ...), new.get(key, ...)
            if isinstance(a, list) and isinstance(b, list):
                arrays[key] = a, b
            elif key in _ARRAYS:
                changes += [Change(None, *d) for d in differences(a, b, (key,))]
    elif isinstance(old, dict):  # members by key
        arrays = {}
        shifted = list(old) != list(new)
        for key in old.keys() | new.keys():
            owners = source.owners(name, key, None)
            found = differences(old.get(key, ...), new.get(key, ...), (key,))
            changes += [Change(owners, *d) for d in found]
    for key, (a, b) in arrays.items():
        if len(a) != len(b):
            shifted = True
        if len(a) == len(b):
            pairs = list(zip(a, b, strict=True))
        else:
            texts = [{json.dumps(e) for e in side} for side in (a, b)]
            pairs = [(e, ...) for e in a if json.dumps(e) not in texts[1]]
            pairs += [(..., e) for e in b if json.dumps(e) not in texts[0]]
            pairs += [(e, e) for e in b if b.count(e) != a.count(e)]
        for x, y in pairs:
            sides = [source.owners(name, key, e) for e in (x, y) if e is not ...]
            owners = None if None in sides else {o for side in sides for o in side or ()}
            if x is ... or y is ... or (len(a) != len(b)):
                changes.append(Change(owners, (key,), 0, 1))
            else:
                changes += [Change(owners, *d) for d in differences(x, y, (key,))]
                ids = [e.get("id") if isinstance(e, dict) else None for e in (x, y)]
                shifted = shifted or ids[0] != ids[1]
    return changes, shifted


def _shows(record: Record, name: str) -> bool:
    if record.image is None:
        return False
    if "maps/" in name:
        return PurePosixPath(name).stem == PurePosixPath(record.image).stem
    return name.endswith(record.image)


def differences(old: Any, new: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, Any, Any]]:
    """(path, old, new) of every value that is another one."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old.keys() | new.keys():
            yield from differences(old.get(key, ...), new.get(key, ...), (*path, key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for place, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from differences(a, b, (*path, place))
    elif type(old) is not type(new) or not (old == new or old is new):
        yield path, old, new


def masks_change(changes: Sequence[Change]) -> bool:
    """Whether a class has more or fewer masks than before: where it is absent follows from that."""
    return any("segmentation" in change.path for change in changes)


def present(records: Sequence[Record]) -> list[Record]:
    """The records without what they say is absent."""
    return [
        replace(record, expressions=tuple(e for e in record.expressions if e.boxes != ()))
        for record in records
    ]


def plausible(change: Change, optional: frozenset[str]) -> bool:
    """Whether nobody could tell from the new value that it is not meant."""
    old, new = change.old, change.new
    key = next((str(step) for step in reversed(change.path) if isinstance(step, str)), "")
    if _UNREAD.intersection(map(str, change.path)):
        return True
    if "segmentation" in change.path:
        return True  # a broken one is counted and leaves the object without
    if old is ...:
        return True  # keys that mean nothing are in every source
    if new is ... or new is None or new == [] or new == {} or (new == -1 and key not in _IDS):
        return key in optional or str(change.path[-1]).replace(":", "").isdecimal()
    if isinstance(old, list) and isinstance(new, list):
        return key not in _BOXES
    if isinstance(new, float) and not math.isfinite(new):
        return False
    if _BOXES.intersection(map(str, change.path)) and abs(_number(new)) > _MOST_PIXELS:
        return False
    kinds = _kinds(old), _kinds(new)
    if key in _IDS:
        kinds = tuple({"text"} if side & {"number", "text"} else side for side in kinds)
    if key in _FLAGS and (new in (0, 1) or old in (0, 1, "0", "1")):
        return new == -1 or str(new).lower() in ("0", "1", "0.0", "1.0", "true", "false")
    return bool(kinds[0] & kinds[1])


def _kinds(value: Any) -> set[str]:
    if isinstance(value, bool):
        return {"bool"}
    if isinstance(value, (int, float)):
        return {"number"}
    if isinstance(value, str):
        return {"text", "number"} if math.isfinite(_number(value)) else {"text"}
    return {type(value).__name__}


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def read_documents(source: FuzzSource, folder: Path) -> dict[str, Any]:
    """What a plain parser reads; None: it cannot."""
    found: dict[str, Any] = {}
    for name in source.documents:
        data = (folder / name).read_bytes()
        try:
            if name.endswith(".json"):
                found[name] = json.loads(data.decode("utf-8-sig"))
            elif name.endswith(".p"):
                # Not `pickle.loads`: a flipped bit may ask for anything, 15 GB of memory included.
                found[name] = load_plain(folder / name)
            else:
                found[name] = data
        except Exception:
            found[name] = None
    return found


def by_owner(source: FuzzSource, records: list[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(source.owner(record), []).append(record)
    return found


def parts(record: Record) -> set[str]:
    """What a record is made of, whatever was drawn."""
    image = f"{record.image} {record.width} {record.height}"
    targets = [f"{t.name} {t.box}" for t in record.targets]
    return {image, *targets, *(f"{e.text} {e.boxes} {e.mask}" for e in record.expressions)}


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    def ring(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"not done in {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def run_cases(
    folder: Path, cases: int, seed: int, sources: Sequence[FuzzSource] = SOURCES
) -> tuple[Counter[str], list[str]]:
    """How many cases ended how, and those that did not end as they should."""
    ends: Counter[str] = Counter()
    failures = []
    for number, source in enumerate(sources):
        clean = Clean(source, folder / source.name)
        for case in range(number, cases, len(sources)):
            try:
                ends[run_case(clean, folder / "case", (seed, number, case))] += 1
            except AssertionError as error:
                failures.append(f"{source.name}, case {(seed, number, case)}: {error}")
    return ends, failures
