"""VAW's files: the instances of every image, and the attributes of every type."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seal.building.formats.fields import box_numbers, id_text, listed, name_text, pixels, shown
from seal.building.formats.json_arrays import read_element, read_json
from seal.building.formats.json_members import stream_members


class VawIndex:
    """Where every instance stands in the files, by image; nothing of them is kept."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = list(paths)
        rows: dict[str, int] = {}  # image id -> a number, in order of first mention
        owners, spans = array("q"), array("q")  # file, start and end by turns
        for place, path in enumerate(self.paths):
            for element in stream_members(path):
                try:
                    image = id_text(element.value["image_id"])
                except (KeyError, TypeError, ValueError) as error:
                    raise ValueError(
                        f"{path}: byte {element.start}: an instance has no image_id: {error}"
                    ) from error
                owners.append(rows.setdefault(image, len(rows)))
                spans.extend((place, element.start, element.end))
        self.images = list(rows)
        owner = np.array(owners, dtype=np.int64)
        self._spans = np.array(spans, dtype=np.int64).reshape(-1, 3)
        self._order = np.argsort(owner, kind="stable")
        self._starts = np.searchsorted(owner[self._order], np.arange(len(rows) + 1))

    def __len__(self) -> int:
        return len(self.images)

    def read(self, row: int) -> list[tuple[str, dict[str, Any]]]:
        """An image's instances, each with its file and byte, in the order of the files."""
        found = []
        for place in self._order[self._starts[row] : self._starts[row + 1]]:
            number, start, end = self._spans[place].tolist()
            path = self.paths[number]
            with path.open("rb") as file:
                found.append((f"{path}: byte {start}", read_element(file, start, end)))
        return found


@dataclass(frozen=True, slots=True)
class AttributedObject:
    """One annotated object. `box` as annotated, xywh pixels."""

    name: str
    xywh: list[float]
    positive: list[str]
    negative: list[str]
    polygons: list[list[float]]  # [x, y, x, y, ...]; empty: none annotated
    source_id: str

    @classmethod
    def from_entry(cls, entry: dict[str, Any]) -> AttributedObject:
        """Raises KeyError, TypeError or ValueError where the entry is not of the source's form."""
        x, y, w, h = box_numbers(entry["instance_bbox"], "instance_bbox")
        return cls(
            name=name_text(entry["object_name"], "object_name"),
            xywh=[x, y, w, h],
            positive=_texts(entry["positive_attributes"], "positive_attributes"),
            negative=_texts(entry["negative_attributes"], "negative_attributes"),
            polygons=[
                [pixels(value, "instance_polygon") for point in polygon for value in point]
                for polygon in listed(entry.get("instance_polygon"), "instance_polygon")
                if len(polygon) >= 3
            ],
            source_id=id_text(entry["instance_id"]),
        )


def read_types(path: Path, types: Sequence[str]) -> dict[str, frozenset[str]]:
    """The attributes of each of `types`, from the source's own list."""
    if not isinstance(known := read_json(path), dict):
        raise ValueError(f"{path}: expected lists of attributes by type, got {shown(known)}")
    try:
        found = {name: frozenset(_texts(known[name], name)) for name in types if name in known}
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error
    if missing := [name for name in types if name not in found]:
        raise ValueError(f"{path} does not know the types {missing}; it has {sorted(known)}")
    return found


def _texts(values: Any, what: str) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError(f"{what} must be a list of attributes, got {shown(values)}")
    return [name_text(value, what) for value in values]
