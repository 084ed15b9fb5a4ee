"""The objects of one image as builders of questions see them: boxes inside it, by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seal.building.coco import CocoIndex
from seal.building.coco_annotation import is_crowd
from seal.building.fields import box_inside, checked_id
from seal.building.writer import BuildConfig
from seal.geometry import Box


@dataclass(frozen=True, slots=True)
class Instance:
    """One object. `box` in image pixels, inside the image."""

    category: str
    box: Box
    source_id: Any  # of its annotation


@dataclass(slots=True)
class Instances:
    """What is known to be in an image, by category."""

    of: dict[str, list[Instance]] = field(default_factory=dict)
    uncertain: set[str] = field(default_factory=set)  # there, but how many is not known

    def only(self, category: str) -> Instance | None:
        """The category's one instance; None if there are several, none, or nobody knows."""
        found = self.of.get(category, [])
        return found[0] if len(found) == 1 and category not in self.uncertain else None

    def certain(self) -> list[Instance]:
        """Every instance that its category's name tells from all others, in order of category."""
        return [only for category in self.of if (only := self.only(category)) is not None]


def coco_instances(
    index: CocoIndex,
    annotations: Sequence[dict[str, Any]],
    width: int,
    height: int,
    counts: Counter[str],
) -> Instances:
    """The objects of a COCO image, categories in the order of the category list.

    A crowd, or an annotation whose box holds nothing, says that there is more of its category
    than boxes tell.
    """
    found = Instances({category: [] for category in index.categories})
    for annotation in annotations:
        category = index.category(annotation)
        if category is None:
            counts["annotations of unknown categories"] += 1
            continue
        box = box_inside(annotation["bbox"], width, height)
        if box is None:
            counts["boxes without area"] += 1
        if is_crowd(annotation) or box is None:
            found.uncertain.add(category)
            continue
        found.of[category].append(Instance(category, box, checked_id(annotation.get("id"))))
    found.of = {category: members for category, members in found.of.items() if members}
    return found


def open_coco(config: BuildConfig) -> CocoIndex:
    """The index of the instances file that `config` names."""
    require_sources(config.images, annotations=config.annotations)
    return CocoIndex(Path(config.annotations))


def require_sources(images: str, **files: str) -> None:
    """Fail before a long build if the image folder or a file, by its key, is not there."""
    if not Path(images).is_dir():
        raise ValueError(f"images={images} is not a folder")
    for key, file in files.items():
        if not Path(file).is_file():
            raise ValueError(f"{key}={file} is not a file")


def source_settings(
    config: BuildConfig, *names: str, files: Sequence[str] = ("annotations",)
) -> dict[str, Any]:
    """What makes a set what it is, for `set.json`: the limit, `names`, and the files' sizes."""
    settings = {name: getattr(config, name) for name in ("limit", *names)}
    for name in files:
        settings[name] = file_facts(getattr(config, name))
    return settings


def file_facts(file: str) -> dict[str, Any]:
    """What tells a source file from another version of it."""
    path = Path(file)
    return {"name": path.name, "bytes": path.stat().st_size}
