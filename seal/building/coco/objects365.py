"""Objects365 v2 to search-model records: boxes alone, two million images, names `a/b`."""

from __future__ import annotations

from dataclasses import dataclass

from seal.building.coco.detection import CocoBuildConfig, CocoClasses, build_classes, open_index
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


def build_objects365(config: Objects365BuildConfig) -> RecordSet:
    """Build the set of `config`."""
    index = open_index(config)
    return build_classes(config, index, CocoClasses(index), "objects365")
