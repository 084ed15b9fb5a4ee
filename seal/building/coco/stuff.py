"""COCO-Stuff to search-model records: boxes of things and stuff, masks of its pixel maps."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seal.building.coco.detection import (
    CocoBuildConfig,
    class_boxes,
    draw_absent,
    empty_mask,
    image_record,
    open_index,
)
from seal.building.coco.images import find_image, image_files
from seal.building.coco.index import CocoIndex
from seal.building.coco.plausible import check_annotations
from seal.building.coco.same_photo import merge_same_photos
from seal.building.formats.entry_errors import ErrorsAt
from seal.building.formats.fields import name_text
from seal.building.formats.image_lookup import ImageFile, ImageFiles, Unusable
from seal.building.records.source_files import require_file, require_folder, source_settings
from seal.building.records.writer import Outcome, build_set
from seal.data.masks import mask_to_rle
from seal.data.record_set import Expression, Record, RecordSet
from seal.files.digest import folder_facts
from seal.files.plain_text import read_text
from seal.geometry import Box

_IGNORE = 255  # pixels of nothing
# Category ids that labels.txt names but COCO 2017 has no annotation of: nobody looked for a hat.
_NEVER_ANNOTATED = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91)
# A map gives each pixel one class. What other classes consist of may be there without a pixel of
# its own, so it is never said to be absent: no `wood` beside a wooden shelf.
_WITHIN_OTHERS = frozenset(
    [
        "branch",
        "cardboard",
        "cloth",
        "clothes",
        "leaves",
        "metal",
        "paper",
        "plastic",
        "stone",
        "table",
        "wood",
    ]
)
# Merged by its name alone; the authors' list of the classes says so too.
_RENAMED = {"sky-other": "sky"}
_OTHER = "other"  # stuff_train2017's name for everything that is a thing
_SUFFIXES = (".jpg", ".jpeg", ".png")
_Boxes = dict[int, tuple[Box, ...] | None]  # by category id


@dataclass(kw_only=True, slots=True)
class CocoStuffBuildConfig(CocoBuildConfig):
    """`annotations` is `instances_train2017.json`; empty: from the maps alone, without boxes."""

    annotations: str = ""
    stuff: str = ""  # stuff_train2017.json; goes with `annotations`
    maps: str  # folder of the stuffthingmaps of the split: PNGs, pixel = category id - 1
    labels: str = ""  # labels.txt of COCO-Stuff, `id: name` a line; without `annotations`
    source: str = "coco_stuff"

    def __post_init__(self) -> None:
        CocoBuildConfig.__post_init__(self)
        if bool(self.annotations) != bool(self.stuff):
            raise ValueError(
                f"annotations={self.annotations!r} and stuff={self.stuff!r} go together: "
                "instances_train2017.json and stuff_train2017.json, or neither"
            )
        if bool(self.annotations) == bool(self.labels):
            raise ValueError(
                f"annotations={self.annotations!r}, labels={self.labels!r}: class names come from "
                "the annotation files or, without them, from labels="
            )
        if not self.masks:
            raise ValueError("masks=false: that is data_builders/coco")


class _Maker:
    """Turns the boxes and the map of one image into expressions.

    A class is asked for if it has a box or a pixel. A class merged of several (`wall-brick`) has
    no mask, as other kinds of it may be classes of their own; nor has one that is wholly behind
    others in the map. A class without annotation (crowds alone, or no annotation files) has no
    box supervision. Absent is what has neither, unless it is merged or something of which other
    classes consist, or a class of crowds alone; that it has no box is taught only where files say
    where boxes are.
    """

    def __init__(
        self, config: CocoStuffBuildConfig, names: dict[int, str], *indexes: CocoIndex
    ) -> None:
        self.config = config
        self.names = names
        supervised = [index.supervision for index in indexes]
        crowds = [category for s in supervised for category in s.annotated - s.by_boxes]
        self._crowds = {int(category) for category in crowds if category.isdecimal()}
        self._no_boxes: tuple[Box, ...] | None = () if indexes else None

    def expressions(
        self,
        pixels: NDArray[np.uint8],
        boxes: _Boxes,
        rng: np.random.Generator,
        counts: Counter[str],
    ) -> list[Expression]:
        found = {int(value) + 1 for value in np.unique(pixels) if value != _IGNORE}
        if unknown := found - set(self.names):
            counts["map values without a class"] += len(unknown)
        present = (found | set(boxes)) & set(self.names)
        expressions = []
        for category in sorted(present):
            name, mask = self.names[category], None
            if "-" in name:
                counts["classes without a mask: merged of several"] += 1
            elif category not in found:
                counts["classes without a mask: no pixel in the map"] += 1
            else:
                mask = mask_to_rle(pixels == category - 1)
            known = boxes.get(category)
            if mask is None and known is None:
                counts["classes without a usable annotation"] += 1
                continue
            expressions.append(Expression(name, known, mask))
        if expressions:
            absent = [
                name
                for category, name in self.names.items()
                if category not in present | self._crowds
                and "-" not in name
                and name not in _WITHIN_OTHERS
            ]
            height, width = pixels.shape
            empty = empty_mask(width, height) if self.config.absent_masks else None
            for name in draw_absent(absent, self.config.num_absent, rng):
                if self._no_boxes is not None or empty is not None:
                    expressions.append(Expression(name, self._no_boxes, empty))
        return expressions

    def pixels(self, stem: str, image: ImageFile) -> NDArray[np.uint8] | str:
        """(H, W) map of an image, or why there is none."""
        path = Path(self.config.maps) / f"{stem}.png"
        if not path.is_file():
            return Unusable("map missing", str(path))
        try:
            # Checksums: pixels that are not meant would be other classes.
            with Image.open(path) as opened:
                opened.verify()
            with Image.open(path) as opened:
                mode, values = opened.mode, np.asarray(opened)
        except Exception as error:  # Pillow raises almost anything for a damaged file
            return Unusable("map does not decode", f"{path}: {error}")
        if mode not in ("L", "P"):
            raise ValueError(
                f"{path} has {mode} pixels; a map has one byte each (L): "
                "stuffthingmaps_trainval2017.zip"
            )
        if values.shape != (image.height, image.width):
            return Unusable(
                "map size differs from its image",
                f"{path} is {values.shape[1]} x {values.shape[0]}, its image "
                f"{image.width} x {image.height}",
            )
        return values.astype(np.uint8, copy=False)


class AnnotatedMaker(_Maker):
    """Makes the record of one image of the annotation files."""

    def __init__(
        self,
        config: CocoStuffBuildConfig,
        names: dict[int, str],
        things: CocoIndex,
        stuff: CocoIndex,
        files: ImageFiles,
    ) -> None:
        super().__init__(config, names, things, stuff)
        self.things = things
        self.stuff = stuff
        self.files = files

    def __call__(self, row: int) -> Outcome:
        entry = self.things.entry(row)
        outcome = Outcome()
        counts: Counter[str] = Counter()
        with ErrorsAt(self.things.where(row)):
            record = self._record(row, entry, counts)
        if isinstance(record, str):
            counts[record] += 1
        else:
            outcome.records.append(record)
        outcome.counts.update(counts)
        return outcome

    def _record(self, row: int, entry: dict[str, Any], counts: Counter[str]) -> Record | str:
        other = self.stuff.row(entry["id"])
        if other is None:
            return Unusable(
                "image not listed in the stuff file", f"id {entry['id']} in {self.stuff.path}"
            )
        image = find_image(entry, self.files, check=self.config.check_images)
        if isinstance(image, str):
            return image
        pixels = self.pixels(Path(image.name).stem, image)
        if isinstance(pixels, str):
            return pixels
        boxes: _Boxes = {}
        for index, place in ((self.things, row), (self.stuff, other)):
            by_class = index.by_class(index.annotations(place), counts)
            for category, own in by_class.items():
                if int(category) in self.names:
                    boxes[int(category)] = class_boxes(
                        own, image.width, image.height, self.config.max_boxes, counts
                    )[0]
        rng = np.random.default_rng((self.config.seed, row))
        expressions = self.expressions(pixels, boxes, rng, counts)
        if not expressions:
            return "image without objects"
        return image_record(self.config, self.things, entry, image, expressions)


class MapMaker(_Maker):
    """Makes the record of one map, without annotation files: masks, and no box supervision."""

    def __init__(
        self, config: CocoStuffBuildConfig, names: dict[int, str], stems: list[str]
    ) -> None:
        super().__init__(config, names)
        self.stems = stems
        self.files = ImageFiles(config.images, drop_folders=False)

    def __call__(self, item: int) -> Outcome:
        stem = self.stems[item]
        outcome = Outcome()
        record = self._record(stem, np.random.default_rng((self.config.seed, item)), outcome)
        if isinstance(record, str):
            outcome.counts[record] = 1
        else:
            outcome.records.append(record)
        return outcome

    def _record(self, stem: str, rng: np.random.Generator, outcome: Outcome) -> Record | str:
        image = self.files.look([stem + suffix for suffix in _SUFFIXES], None)
        if isinstance(image, str):
            return image
        pixels = self.pixels(stem, image)
        if isinstance(pixels, str):
            return pixels
        counts: Counter[str] = Counter()
        expressions = self.expressions(pixels, {}, rng, counts)
        outcome.counts.update(counts)
        if not expressions:
            return "image without objects"
        return Record(
            id=f"{self.config.source}-{int(stem) if stem.isdecimal() else stem}",
            source=self.config.source,
            license=self.config.license,
            image=image.name,
            width=image.width,
            height=image.height,
            expressions=tuple(expressions),
            meta={"image_id": int(stem) if stem.isdecimal() else stem},
        )


def read_labels(path: Path) -> dict[int, str]:
    """Names by category id of a file of `id: name` lines, without those of no pixel."""
    require_file("labels", str(path))
    names = {}
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        key, colon, name = line.partition(":")
        if not line.strip():
            continue
        if not colon or not key.strip().isdecimal() or not name.strip():
            raise ValueError(f"{path}:{number}: expected `id: name`, got {line!r}")
        if int(key) in names:
            raise ValueError(f"{path}:{number}: id {int(key)} occurs twice")
        try:
            name = name_text(name, "a name")
        except ValueError as error:
            raise ValueError(f"{path}:{number}: {error}") from error
        names[int(key)] = _RENAMED.get(name, name)
    known = {key: name for key, name in names.items() if key not in (0, *_NEVER_ANNOTATED)}
    return {key: name for key, name in known.items() if name != _OTHER}


def build_coco_stuff(config: CocoStuffBuildConfig) -> RecordSet:
    """Build the set of `config`."""
    require_folder("maps", config.maps)
    sources = ("annotations", "stuff", "labels")
    for name in filter(lambda name: getattr(config, name), sources):
        require_file(name, getattr(config, name))
    own = ("source", "license", "num_absent", "max_boxes", "absent_masks", "check_images")
    settings = source_settings(config, *own, files=sources)
    settings["maps"] = folder_facts(config.maps, Path(config.maps).glob("*.png"))
    if not config.annotations:
        maker = _from_maps(config)
        return build_set(config, maker, len(maker.stems), builder="coco_stuff", settings=settings)
    things = open_index(config)
    stuff = CocoIndex(Path(config.stuff))
    names = _names(things, stuff)
    files = image_files(config.images, things, check=config.check_images)
    insist, check = not config.check_boxes, config.check_images
    for index in (things, stuff):
        check_annotations(index, files, check=check, insist=insist)
        merge_same_photos(index, files, check=check)
    make = AnnotatedMaker(config, names, things, stuff, files)
    return build_set(
        config,
        make,
        len(things),
        builder="coco_stuff",
        settings=settings,
        counts=dict(things.counts + stuff.counts),
    )


def _from_maps(config: CocoStuffBuildConfig) -> MapMaker:
    require_folder("images", config.images)
    stems = sorted(path.stem for path in Path(config.maps).glob("*.png"))
    if not stems:
        raise ValueError(f"maps={config.maps} holds no PNG; give the folder of one split")
    return MapMaker(config, read_labels(Path(config.labels)), stems)


def _names(things: CocoIndex, stuff: CocoIndex) -> dict[int, str]:
    """The classes of both files, by category id."""
    names: dict[int, str] = {}
    for index in (stuff, things):
        for key, name in index.categories.items():
            if not key.isdecimal() or len(key) > 3 or not 1 <= int(key) <= 255:
                raise ValueError(
                    f"{index.path}: category id {key[:20]} is none of COCO-Stuff, 1 to 255; "
                    "a map's pixels are category id - 1"
                )
            names[int(key)] = _RENAMED.get(name, name)
    if both := set(things.categories) & set(stuff.categories):
        raise ValueError(
            f"{things.path} and {stuff.path} share category ids {sorted(both)[:5]}: "
            "expected instances_*.json and stuff_*.json"
        )
    return {key: name for key, name in sorted(names.items()) if name != _OTHER}
