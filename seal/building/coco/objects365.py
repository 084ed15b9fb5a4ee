"""Objects365 v2 to search-model records: boxes alone, two million images, names `a/b`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from seal.building.coco.detection import CocoBuildConfig, CocoClasses, build_classes, open_index
from seal.building.coco.index import CocoIndex
from seal.data.record_set import RecordSet


@dataclass(kw_only=True, slots=True)
class Objects365BuildConfig(CocoBuildConfig):
    """`annotations` is `zhiyuan_objv2_train.json`."""

    source: str = "objects365"
    license: str = "Objects365: non-commercial"
    masks: bool = False  # there are none

    def __post_init__(self) -> None:
        CocoBuildConfig.__post_init__(self)
        if self.masks:
            raise ValueError("masks=true: Objects365 has boxes alone")


class Objects365Classes(CocoClasses):
    """Every class is annotated in every image; a name `a/b` holds alternatives, one is drawn.

    That is this source's way of writing: elsewhere `w/o helmet` is a name.
    """

    def __init__(self, index: CocoIndex) -> None:
        super().__init__(index)
        try:
            self._alternatives = _alternatives(index.categories)
        except ValueError as error:
            raise ValueError(f"{index.path}: {error}") from error

    def phrase(self, category: str, rng: np.random.Generator) -> str:
        names = self._alternatives[category]
        return names[int(rng.integers(len(names)))] if len(names) > 1 else names[0]


def _alternatives(categories: dict[str, str]) -> dict[str, list[str]]:
    """The names a class may be asked by: the alternatives of `a/b` that no other class shares."""
    parts = {
        category: list(dict.fromkeys(part.strip() for part in name.split("/") if part.strip()))
        for category, name in categories.items()
    }
    uses = Counter(part for names in parts.values() for part in names)
    alternatives = {c: [name for name in names if uses[name] == 1] for c, names in parts.items()}
    if ambiguous := sorted(categories[c] for c, names in alternatives.items() if not names):
        raise ValueError(f"classes without a name of their own: {ambiguous}")
    return alternatives


def build_objects365(config: Objects365BuildConfig) -> RecordSet:
    """Build the set of `config`."""
    index = open_index(config)
    return build_classes(config, index, Objects365Classes(index), "objects365")
