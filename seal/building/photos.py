"""Hold annotations against their photo: where it lies below an image root, its size, its border."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from seal.building.writer import CORRUPT
from seal.images import open_image

MISSING = "image file missing"
OTHER_SIZE = "image size differs from its annotation"

_COCO_NAME = re.compile(r"(?:COCO_(?:train|val|test)20\d\d_)?(\d{12}\.jpg)")
# The 2014 release has the split in the name, that of 2017 has the number alone.
_COCO_NAMES = {"train2017": "", "train2014": "COCO_train2014_", "val2017": "",
               "val2014": "COCO_val2014_"}  # fmt: skip
_COCO_PARENTS = ("", "coco/", "images/", "mscoco/images/", "images/mscoco/images/")


def find_photo(root: str | Path, names: Iterable[str]) -> str | None:
    """The first of `names` that is a file below `root`; what leads out of `root` is not tried."""
    for name in names:
        path = PurePosixPath(name)
        if not path.is_absolute() and ".." not in path.parts and os.path.isfile(Path(root, path)):
            return str(path)
    return None


def coco_places(file_name: str) -> list[str]:
    """Where a COCO photo may lie, whatever release its name is from: first as it is named.

    The releases share their photos: most of val2014 is in train2017. A name that is not COCO's
    lies nowhere else.
    """
    match = _COCO_NAME.fullmatch(PurePosixPath(file_name).name)
    if match is None:
        return [file_name]
    number = match.group(1)
    names = [prefix + number for prefix in ("", *filter(None, _COCO_NAMES.values()))]
    places = [file_name, *names]
    for parent in _COCO_PARENTS:
        places += [f"{parent}{folder}/{name + number}" for folder, name in _COCO_NAMES.items()]
    return list(dict.fromkeys(places))


def unusable(path: Path, width: int, height: int) -> str | None:
    """Why a photo cannot be used with annotations made for width x height pixels."""
    try:
        size = open_image(path).size
    except ValueError:
        return CORRUPT
    return None if size == (width, height) else OTHER_SIZE


def photo_problem(root: str | Path, name: str, width: int, height: int) -> str | None:
    """Why the photo of that name below `root` cannot be used; None: it can. Decodes it."""
    if find_photo(root, [name]) is None:
        return MISSING
    return unusable(Path(root) / name, width, height)
