"""Where every image and annotation stands in a COCO-format file of any size."""

from __future__ import annotations

import json
import os
from array import array
from collections import Counter
from collections.abc import Sequence
from io import FileIO
from pathlib import Path
from typing import Any
from unicodedata import normalize
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from seal.building.coco.supervision import Supervision
from seal.building.formats.fields import given, id_text, name_text, text
from seal.building.formats.json_arrays import read_element, stream_arrays

_MOST = 1 << 61  # ids from here on, and texts, are numbered below -_MOST
_BLOCK = 1 << 20  # annotations whose images are looked up at once


class CocoIndex:
    """Byte offsets and ids; nothing else of the images and annotations is kept.

    An id may be a number in one place and text or a whole float in another: 7, "7" and 7.0 are
    one id. Memory is about 12 bytes an annotation and 40 an image; three times as much while the
    file is read.
    """

    def __init__(self, path: Path, *, classes: bool = True) -> None:
        """Read `path` once.

        Args:
            classes: False: the file need not list any.

        Raises:
            ValueError: the file is no whole COCO document, or an entry lacks what the index needs;
                it names the file and the byte.
        """
        self.path = path
        self.categories: dict[str, str] = {}  # id as text -> name, lower case
        self.licenses: dict[str, str] = {}
        self.counts: Counter[str] = Counter()
        self.supervision = Supervision()
        self._numbers = _Numbers()
        self._file: tuple[int, FileIO] | None = None
        starts, lengths, owners = array("q"), array("I"), array("q")  # of annotations
        image_spans, image_ids = array("q"), array("q")
        names, paths = array("q"), array("q")  # hashes of file names without and with folders
        entries: list[dict[str, Any]] = []  # categories
        arrays, number = set(), self._numbers
        for key, entry, start, end in stream_arrays(path):
            arrays.add(key)
            try:
                if key == "annotations":
                    owner = entry["image_id"]
                    plain = type(owner) is int and -_MOST < owner < _MOST
                    owners.append(owner if plain else -_MOST if owner is None else number(owner))
                    starts.append(start)
                    lengths.append(end - start)
                    category = entry.get("category_id")
                    if classes:
                        known = str(category) if type(category) is int else id_text(category or 0)
                        self.supervision.add(known, entry)
                elif key == "images":
                    image_ids.append(number(entry["id"]))
                    image_spans.extend((start, end))
                    file = str(entry.get("file_name") or entry.get("coco_url")).replace("\\", "/")
                    names.append(hash(like_name(file)))
                    paths.append(hash(file))
                elif key == "categories":
                    category = id_text(entry["id"])
                    if category in self.categories:
                        raise ValueError(f"category id {category} occurs twice")
                    self.categories[category] = name_text(entry["name"], "name")
                    entries.append(entry)
                elif key == "licenses":
                    self.licenses[id_text(entry["id"])] = text(
                        "" if entry["name"] is None else entry["name"], "name"
                    )
            except KeyError as error:
                raise ValueError(
                    f"{path}: byte {start}: an entry of {key} has no key {error}"
                ) from error
            except (TypeError, AttributeError, ValueError) as error:
                raise ValueError(
                    f"{path}: byte {start}: a broken entry of {key}: {error}"
                ) from error
        needed = {"images", "annotations", *(["categories"] if classes else [])}
        if missing := needed - arrays:
            raise ValueError(f"{path} has no {', '.join(sorted(missing))}: not COCO annotations")
        self.image_spans = _numpy(image_spans).reshape(-1, 2)
        self._names = _numpy(names)
        # Whether an image is known without its folders. One file under two ids is one image.
        self.unique_names = len(np.unique(self._names)) == len(np.unique(_numpy(paths)))
        self.other_ids: dict[int, list[Any]] = {}  # row -> further ids, once `merge` joined them
        self._ids = _numpy(image_ids)
        self._by_id = np.argsort(self._ids, kind="stable")  # rows; -1: forgotten
        self._ids = self._ids[self._by_id]  # sorted
        if (twice := np.flatnonzero(self._ids[1:] == self._ids[:-1])).size:
            entry = self.entry(int(self._by_id[twice[0]]))
            raise ValueError(f"{path}: image id {entry['id']} occurs twice")
        self._nameless: set[str] = set()
        self._same = self._tidy_categories(entries)
        self.supervision.join(self._same)
        self._assign(starts, lengths, owners)

    def __len__(self) -> int:
        return len(self.image_spans)

    @property
    def annotations_by_image(self) -> NDArray[np.int64]:
        """(N,) annotations of each row."""
        counts: NDArray[np.int64] = np.diff(self._first)
        return counts

    @property
    def unknown_annotations(self) -> int:
        """Annotations of no listed category."""
        known = {*self.categories, *self._same, *self._nameless}
        return self.supervision.total - self.supervision.count(known)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_file": None}

    def entry(self, row: int) -> dict[str, Any]:
        """An image entry."""
        entry: dict[str, Any] = read_element(self._open(), *self.image_spans[row].tolist())
        return entry

    def annotations(self, row: int) -> list[dict[str, Any]]:
        """The annotations of an image, in file order."""
        first, last = self._first[row : row + 2].tolist()
        starts, lengths = self._starts[first:last].tolist(), self._lengths[first:last].tolist()
        file = self._open()
        texts = []
        for start, length in zip(starts, lengths, strict=True):
            file.seek(start)
            texts.append(file.read(length))
        # One document for all of them: half the time of a dozen small ones.
        found: list[dict[str, Any]] = json.loads((b"[%b]" % b",".join(texts)).decode("utf-8"))
        return found

    def read(self, row: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """An image entry and its annotations, in file order."""
        return self.entry(row), self.annotations(row)

    def row(self, image_id: object) -> int | None:
        """Where the image of an id stands; None: it is not listed."""
        number = self._numbers(image_id)
        place = int(np.searchsorted(self._ids, number))
        found = place < len(self._ids) and self._ids[place] == number and self._by_id[place] >= 0
        return int(self._by_id[place]) if found else None

    def like_named(self) -> list[list[int]]:
        """Groups of rows whose file names may mean one file, folders apart."""
        order = np.argsort(self._names, kind="stable")
        names = self._names[order]
        groups = np.split(order, np.flatnonzero(names[1:] != names[:-1]) + 1)
        return [group.tolist() for group in groups if len(group) > 1]

    def merge(self, groups: Sequence[Sequence[int]], forgotten: Sequence[int] = ()) -> None:
        """Make the rows of each group one image, its annotations those of all; forget others.

        The first row's entry stays. Rows are numbered anew; an id leads to the row of its image.
        """
        into = np.arange(len(self))
        for first, *others in groups:
            into[others] = first
        stays = into == np.arange(len(self))
        stays[list(forgotten)] = False
        row_of = np.where(stays, np.cumsum(stays) - 1, -1)[into]  # by old row
        self.other_ids = {
            int(row_of[first]): [self.entry(row)["id"] for row in others]
            for first, *others in groups
        }
        owners = row_of[np.repeat(np.arange(len(self)), np.diff(self._first))]
        listed = slice(int(self._first[0]), None)
        starts, lengths = self._starts[listed], self._lengths[listed]
        self._by_id = row_of[self._by_id]
        self.image_spans, self._names = self.image_spans[stays], self._names[stays]
        self._sort(owners, starts, lengths)

    def category(self, annotation: dict[str, Any]) -> str | None:
        """The key in `categories` of an annotation's class; None: it is of no listed class."""
        key = self._key(annotation)
        key = self._same.get(key, key)
        return key if key in self.categories else None

    def by_class(
        self, annotations: list[dict[str, Any]], counts: Counter[str]
    ) -> dict[str, list[dict[str, Any]]]:
        """Annotations by their key in `categories`.

        What is of no listed class, of one that cannot be asked for, or said again is counted.
        """
        found: dict[str, list[dict[str, Any]]] = {}
        places: dict[tuple[str, str], int] = {}  # of a class and box in its list
        for annotation in annotations:
            category = self.category(annotation)
            if category is None:
                named = self._key(annotation) not in self._nameless
                counts[f"annotations of {'unknown' if named else 'nameless'} categories"] += 1
                continue
            own = found.setdefault(category, [])
            box = annotation.get("bbox")
            place = places.setdefault((category, repr(box)), len(own)) if box else len(own)
            if place < len(own) and _says_the_same(annotation, own[place]):
                counts["annotations that occur twice"] += 1
            else:
                own.append(annotation)
        return found

    def license(self, entry: dict[str, Any], default: str) -> str:
        """What an image entry's license is called; `default`: it has none, or no listed one."""
        value = entry.get("license")
        return (
            default if given(value) in (None, "") else self.licenses.get(id_text(value)) or default
        )

    def where(self, row: int) -> str:
        """File and byte of an image entry, for messages."""
        return f"{self.path}: image at byte {self.image_spans[row][0]}"

    def _open(self) -> FileIO:
        # A file that a process shares with the one it was forked from has one position for both.
        if self._file is None or self._file[0] != os.getpid():
            self._file = os.getpid(), self.path.open("rb", buffering=0)
        return self._file[1]

    @staticmethod
    def _key(annotation: dict[str, Any]) -> str:
        value = annotation["category_id"]
        if value is None:
            return "-1"  # which some tools write for it; of no listed class
        return str(value) if type(value) is int else id_text(value)

    def _tidy_categories(self, entries: list[dict[str, Any]]) -> dict[str, str]:
        """Drop what is no class of its own; returns the keys that stand for another key.

        Some tools list a class that only groups the others (a dummy with id 0): it has no
        annotation and is the supercategory of another one. Asked for as absent it would be wrong.
        Ids that share a name are one class. A name without a letter or digit asks for nothing.
        """
        used = self.supervision.annotated
        above = Counter(_group(entry) for entry in entries)
        of_name: dict[str, str] = {}
        same: dict[str, str] = {}
        for entry in entries:
            key, name = id_text(entry["id"]), self.categories[id_text(entry["id"])]
            if key not in used and above[name] > (_group(entry) == name):
                self.counts["categories that only group others"] += 1
                del self.categories[key]
            elif not any(character.isalnum() for character in name):
                self.counts[f"categories without a word in their name: {name!r}"] += 1
                self._nameless.add(key)
                del self.categories[key]
            elif name in of_name:
                self.counts["categories with the name of another"] += 1
                same[key] = of_name[name]
                del self.categories[key]
            else:
                of_name[name] = key
        return same

    def _assign(self, starts: array[int], lengths: array[int], owners: array[int]) -> None:
        """Sort the annotations by the image they belong to; file order within an image."""
        numbers = _numpy(owners)
        rows = np.empty(len(numbers), dtype=np.int32)
        for begin in range(0, len(numbers), _BLOCK):
            part = numbers[begin : begin + _BLOCK]
            place = np.searchsorted(self._ids, part).clip(max=max(len(self._ids) - 1, 0))
            listed = self._ids[place] == part if len(self._ids) else np.zeros(len(part), bool)
            rows[begin : begin + _BLOCK] = np.where(
                listed, self._by_id[place] if len(self._ids) else 0, -1
            )
        del numbers, owners
        self.num_annotations = len(rows)  # listed or not
        if unlisted := int((rows < 0).sum()):
            self.counts["annotations of unlisted images"] = unlisted
        self._sort(rows, _numpy(starts), _numpy(lengths))

    def _sort(self, rows: NDArray[Any], starts: NDArray[Any], lengths: NDArray[Any]) -> None:
        """Order the annotations by row; -1: of none."""
        order = np.argsort(rows, kind="stable")
        self._first = np.searchsorted(rows[order], np.arange(len(self) + 1, dtype=np.int32))
        self._starts, self._lengths = starts[order], lengths[order]


def _says_the_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Of two annotations of one class and box."""
    return all(one.get(key) == other.get(key) for key in ("segmentation", "iscrowd", "ignore"))


def like_name(file: str) -> str:
    """What file names have in common that may mean one file: no folders, case or spelling."""
    name = unquote(file.rpartition("/")[2])
    return name.casefold() if name.isascii() else normalize("NFC", name).casefold()


class _Numbers:
    """Ids as 64-bit numbers: a whole number is itself, anything else is numbered below -_MOST."""

    def __init__(self) -> None:
        self._texts: dict[str, int] = {}

    def __call__(self, value: object) -> int:
        text = id_text(value)
        if text.removeprefix("-").isdecimal() and text.isascii():
            number = int(text)
            if str(number) == text and -_MOST < number < _MOST:  # "007" is not 7
                return number
        return self._texts.setdefault(text, -_MOST - 1 - len(self._texts))


def _group(category: dict[str, Any]) -> str:
    return str(category.get("supercategory")).strip().lower()


def _numpy(values: array[int]) -> NDArray[Any]:
    """The same memory as an array."""
    kind = np.dtype(values.typecode)
    return np.frombuffer(values, dtype=kind) if values else np.empty(0, dtype=kind)
