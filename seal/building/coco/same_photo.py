"""One photo that a COCO-format file lists under several ids is one image, annotated by all."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from seal.building.coco.images import image_files, image_names
from seal.building.coco.index import CocoIndex
from seal.building.coco.plausible import check_annotations
from seal.building.formats.entry_errors import ErrorsAt
from seal.building.formats.fields import image_size
from seal.building.formats.image_lookup import ImageFiles, plain_name
from seal.building.records.writer import BuildConfig


def open_photos(config: BuildConfig) -> CocoIndex:
    """The index of an annotation file that is plausible, each photo listed once."""
    index = CocoIndex(Path(config.annotations))
    files = image_files(config.images, index)
    check_annotations(index, files, check=True, insist=not config.check_boxes)
    merge_same_photos(index, files)
    return index


def merge_same_photos(index: CocoIndex, files: ImageFiles, *, check: bool = True) -> None:
    """Join the entries that lead to one file, and count them.

    Apart, each would be said to lack what another one of them shows. Which file a name means is
    asked of `files`; without `check` of the names alone. Entries that give one photo two sizes
    contradict each other: such a photo is left out.
    """
    groups: dict[str, list[int]] = {}
    sizes: dict[str, set[tuple[int, int]]] = {}
    for rows in index.like_named():
        for row in rows:
            with ErrorsAt(index.where(row)):
                entry = index.entry(row)
                names = image_names(entry)
                file = files.find(names) if check else _plain(names[0])
                if file is None:
                    continue  # missing; told of each
                groups.setdefault(file, []).append(row)
                if entry.get("width") is not None and entry.get("height") is not None:
                    sizes.setdefault(file, set()).add(image_size(entry))
    several = {file: rows for file, rows in groups.items() if len(rows) > 1}
    apart = [row for file, rows in several.items() if len(sizes.get(file, ())) > 1 for row in rows]
    joined = [rows for file, rows in several.items() if len(sizes.get(file, ())) < 2]
    if not several:
        return
    index.merge(joined, apart)
    index.counts["images listed again under another id, joined with the first"] += sum(
        len(rows) - 1 for rows in joined
    )
    index.counts["images listed several times with different sizes"] += len(apart)
    index.counts = +index.counts


def _plain(name: str) -> str:
    """What two spellings of a path have in common."""
    return unquote(plain_name(name).replace("\\", "/"))
