"""Which classes of a COCO-format file are taught by boxes and which by masks, as a whole."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from seal.building.coco.annotation import has_mask, is_crowd

_BOX, _MASK = 1, 2  # places in a class's counts; 0: all annotations


class Supervision:
    """Counts of each class's annotations, of those with a box and of those with a mask.

    Absence may be taught only as presence is. A model that is shown empty masks of a class, and
    never or hardly ever a full one, learns to find the class nowhere; with boxes it is the same.
    A class is taught by masks if its annotations have one at least half as often as those of the
    whole file, and by boxes likewise (a crowd has no box). A class that nobody annotated is taught
    by neither: it may stand in the list alone, and be in every photo.
    """

    def __init__(self) -> None:
        self._of: dict[str, list[int]] = {}  # category -> annotations, with a box, with a mask

    def add(self, category: str, annotation: dict[str, Any]) -> None:
        """Count an annotation of a class."""
        counts = self._of.setdefault(category, [0, 0, 0])
        counts[0] += 1
        if annotation.get("bbox") or annotation.get("segmentation"):
            counts[_BOX] += not is_crowd(annotation)
            counts[_MASK] += has_mask(annotation)

    def join(self, same: Mapping[str, str]) -> None:
        """Count categories with those that they stand for: `same` says which."""
        for category, other in same.items():
            own = self._of.pop(category, [0, 0, 0])
            kept = self._of.setdefault(other, [0, 0, 0])
            self._of[other] = [a + b for a, b in zip(own, kept, strict=True)]

    def count(self, categories: Collection[str]) -> int:
        """Annotations of some classes."""
        return sum(counts[0] for category, counts in self._of.items() if category in categories)

    @property
    def total(self) -> int:
        """Annotations of all classes."""
        return self.count(self._of)

    @property
    def annotated(self) -> frozenset[str]:
        """Classes with any annotation."""
        return frozenset(category for category, counts in self._of.items() if counts[0])

    @property
    def by_boxes(self) -> frozenset[str]:
        """Classes whose absence may be taught by having no box."""
        return self._taught(_BOX)

    @property
    def by_masks(self) -> frozenset[str]:
        """Classes whose absence may be taught by an empty mask."""
        return self._taught(_MASK)

    def _taught(self, place: int) -> frozenset[str]:
        total = self.total
        taught = sum(counts[place] for counts in self._of.values())
        return frozenset(
            category
            for category, counts in self._of.items()
            if counts[place] and 2 * counts[place] * total >= counts[0] * taught
        )
