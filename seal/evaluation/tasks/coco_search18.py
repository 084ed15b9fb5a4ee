"""COCO-Search18 as targets to search for, with the fixations of people beside them (table 4)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from seal.evaluation.benchmark_images import BenchmarkImages, FolderImages
from seal.evaluation.task import AnnotatedTarget
from seal.evaluation.tasks.coco_search18_files import Sought, read_sought
from seal.evaluation.tasks.display_space import DISPLAY, Fit
from seal.evaluation.tasks.visual_search import SearchTarget
from seal.geometry import Box
from seal.images import image_file_size

# What stands for a picture, in the `meta` of a target.
PHOTO, STIMULUS, BLANK = "photo", "stimulus", "blank"


@dataclass(kw_only=True, slots=True)
class CocoSearch18Config:
    """Where the data set lies."""

    fixations: str  # a file of trials, or the folder of coco_search18_fixations_TP*.json
    # Photographs of COCO, or the data set's own pictures of the display's size, in folders by task
    # or not. None: nothing to see; boxes and fixations are left, on a blank display.
    images: str | None = None
    limit: int | None = None  # only the first targets

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"limit={self.limit} must be at least 1; null takes all targets")

    def build(self) -> CocoSearch18:
        sought = read_sought(Path(self.fixations))[: self.limit]
        return CocoSearch18(sought, None if self.images is None else Path(self.images))


class CocoSearch18:
    """A target for every thing that was sought in a photograph.

    Boxes and scanpaths are in pixels of the picture that is searched: of the photograph, which is
    mapped back from the display, or of the whole display, with its black, where a stimulus of the
    data set is at hand, or nothing. A target's `meta` has `picture` (photo | stimulus | blank),
    `scale`, pixels of the picture for one of the display, `trials`, how many people searched, and
    `scanpaths`, [x, y] of each fixation of those who found it.
    """

    name = "coco_search18"
    version = "1"

    def __init__(self, sought: Sequence[Sought], images: Path | None) -> None:
        self.images: BenchmarkImages = BlankDisplays() if images is None else FolderImages(images)
        self._targets = _targets(sought, images)

    def targets(self) -> list[SearchTarget]:
        """In the order of the files."""
        return list(self._targets)


class BlankDisplays:
    """A blank display for any picture.

    Its shade depends on the name: displays are told apart by searches whose random order depends on
    what is searched.
    """

    def has(self, name: str) -> bool:
        return True

    def open(self, name: str) -> Image.Image:
        red, green, blue = hashlib.sha256(name.encode()).digest()[:3]
        return Image.new("RGB", DISPLAY, (red, green, blue))

    def digest(self, name: str) -> str:
        return "blank"


def _targets(sought: Sequence[Sought], images: Path | None) -> list[SearchTarget]:
    if images is None:
        return [_target(each, each.name, BLANK, Fit(), DISPLAY) for each in sought]
    targets: list[SearchTarget] = []
    lost: list[Sought] = []
    for each in sought:
        place = _photo(images, each)
        if place is None:
            lost.append(each)
            continue
        size = _size(place)
        picture = STIMULUS if size == DISPLAY else PHOTO
        image = place.relative_to(images).as_posix()
        targets.append(_target(each, image, picture, Fit.of(*size), size))
    if lost:
        raise ValueError(
            f"{images}: {len(lost)} of {len(sought)} photographs are not there, for example "
            f"{lost[0].name} ({lost[0].task}): half a benchmark is another benchmark"
        )
    return targets


def _target(
    sought: Sought, image: str, picture: str, fit: Fit, size: tuple[int, int]
) -> SearchTarget:
    box = fit.box(sought.box)
    box = Box(
        *(min(max(edge, 0.0), side) for edge, side in zip(
            (box.x0, box.y0, box.x1, box.y1), (*size, *size), strict=True
        ))
    )  # fmt: skip
    if box.area <= 0:
        raise ValueError(
            f"{image}: the box of the {sought.task} lies outside {size[0]} x {size[1]} pixels: is "
            "this the photograph of that name?"
        )
    meta: dict[str, Any] = {
        "picture": picture,
        "scale": fit.scale,
        "trials": len(sought.trials),
        "scanpaths": [[list(fit.point(*at)) for at in path] for path in sought.scanpaths],
    }
    return SearchTarget(
        f"{sought.name}/{sought.task}", image, AnnotatedTarget(sought.task, (box,)), meta
    )


def _size(path: Path) -> tuple[int, int]:
    """Width and height; the display's of a file that does not open, which its search will say."""
    try:
        return image_file_size(path)
    except ValueError:
        return DISPLAY


def _photo(folder: Path, sought: Sought) -> Path | None:
    """The picture of a trial: as the data set lays its stimuli out, or as COCO does."""
    name, task = sought.name, sought.task
    places = [f"{task}/{name}", f"{task.replace(' ', '_')}/{name}", name]
    for split in ("val2014", "train2014"):
        places += [f"COCO_{split}_{name}", f"{split}/COCO_{split}_{name}"]
    places += [f"{split}/{name}" for split in ("val2017", "train2017")]
    return next((folder / place for place in places if (folder / place).is_file()), None)
