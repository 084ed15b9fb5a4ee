"""Where people keep the photos of COCO, Visual Genome and Flickr30k below an image root.

What these functions return are names for `ImageFiles.find` or `look`, which takes the first that is
there. Sources that speak of such photos by a bare name need them. A source that comes with its
own images needs `ImageFiles` alone, which knows how tools write one name.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

_COCO_NAME = re.compile(r"(?:COCO_(?:train|val|test)20\d\d_)?(\d{12}\.jpg)")
# The 2014 release has the split in the name, that of 2017 has the number alone.
_COCO_NAMES = {"train2017": "", "train2014": "COCO_train2014_", "val2017": "",
               "val2014": "COCO_val2014_"}  # fmt: skip
_COCO_PARENTS = ("", "coco/", "images/", "mscoco/images/", "images/mscoco/images/")
# The bare root comes last: names of the two may coincide.
_VG_FOLDERS = ("VG_100K/", "VG_100K_2/", "vg/VG_100K/", "vg/VG_100K_2/", "GQA/images/",
               "gqa/images/", "images/", "")  # fmt: skip
_FLICKR_FOLDERS = ("flickr30k-images/", "flickr30k_images/", "flickr30k/",
                   "flickr30k/flickr30k-images/", "flickr30k/images/", "images/", "")  # fmt: skip


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


def visual_genome_places(file_name: str) -> list[str]:
    """Where a photo of Visual Genome may lie, which is also one of GQA."""
    return [folder + file_name for folder in _VG_FOLDERS]


def flickr_places(file_name: str) -> list[str]:
    """Where a photo of Flickr30k may lie."""
    return [folder + file_name for folder in _FLICKR_FOLDERS]
