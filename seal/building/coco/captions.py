"""COCO captions by image: where each stands in the file; the texts are read when needed."""

from __future__ import annotations

from array import array
from pathlib import Path

import numpy as np

from seal.building.formats.fields import id_text, text
from seal.building.formats.json_arrays import read_element, stream_arrays
from seal.building.records.source_files import require_file


class CaptionIndex:
    """Captions of an image, in file order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows: dict[str, int] = {}  # image id as text -> a number
        spans, owners = array("q"), array("q")  # start and end by turns
        found = False
        for element in stream_arrays(path):
            if element.key != "annotations":
                continue
            found = True
            try:
                owner = id_text(element.value["image_id"])
                text(element.value["caption"], "caption")
            except KeyError as error:
                raise ValueError(f"{path}: byte {element.start}: no key {error}") from error
            except (TypeError, ValueError) as error:
                raise ValueError(f"{path}: byte {element.start}: {error}") from error
            owners.append(self._rows.setdefault(owner, len(self._rows)))
            spans.extend((element.start, element.end))
        if not found:
            raise ValueError(f"{path} has no annotations: not COCO captions")
        owner_array = np.array(owners, dtype=np.int64)
        self._spans = np.array(spans, dtype=np.int64).reshape(-1, 2)
        self._order = np.argsort(owner_array, kind="stable")
        self._starts = np.searchsorted(owner_array[self._order], np.arange(len(self._rows) + 1))

    def __len__(self) -> int:
        """Captions."""
        return len(self._spans)

    def read(self, *image_ids: object) -> list[str]:
        """On one line each; an image without captions has none. It may have several ids."""
        rows = [self._rows[key] for key in map(id_text, image_ids) if key in self._rows]
        own = [i for row in rows for i in self._order[self._starts[row] : self._starts[row + 1]]]
        with self.path.open("rb") as file:
            texts = [read_element(file, *self._spans[i].tolist())["caption"] for i in own]
        return [line for said in texts if (line := " ".join(said.split()))]


def caption_index(path: str) -> CaptionIndex:
    """The index of a file of `captions=`."""
    require_file("captions", path)
    return CaptionIndex(Path(path))
