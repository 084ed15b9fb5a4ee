"""The objects of one image as builders of questions see them: boxes inside it, by name."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from seal.building.coco.annotation import annotation_box, is_crowd
from seal.building.coco.index import CocoIndex
from seal.building.formats.fields import checked_id
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
    annotations: list[dict[str, Any]],
    width: int,
    height: int,
    counts: Counter[str],
) -> Instances:
    """The objects of a COCO image, categories in the order of the category list.

    A crowd, or an annotation whose box holds nothing, says that there is more of its category
    than boxes tell.
    """
    found = Instances()
    by_class = index.by_class(annotations, counts)
    for category in filter(by_class.__contains__, index.categories):
        for annotation in by_class[category]:
            box = annotation_box(annotation, width, height)
            if box is None:
                counts["boxes without area"] += 1
            if box is None or is_crowd(annotation):
                found.uncertain.add(category)
                continue
            instance = Instance(category, box, checked_id(annotation.get("id")))
            found.of.setdefault(category, []).append(instance)
    return found
