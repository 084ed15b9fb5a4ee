"""PACO-LVIS, or LVIS itself, to search-model records: objects, and their parts by two phrases."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from seal.building.coco.detection import CocoBuildConfig, build_classes, draw_absent, open_index
from seal.building.coco.index import CocoIndex
from seal.building.formats.fields import id_text, listed
from seal.data.record_set import RecordSet

_SENSE = re.compile(r"_\(.*?\)")  # `car_(automobile)`
_UNNAMED = "categories whose name another one shares"


@dataclass(kw_only=True, slots=True)
class PacoLvisBuildConfig(CocoBuildConfig):
    """`annotations` is `paco_lvis_v1_train.json`, or a file of LVIS."""

    source: str = "paco_lvis"
    max_boxes: int | None = None
    incomplete: bool = False  # also ask for classes of which an image has unannotated instances

    def __post_init__(self) -> None:
        CocoBuildConfig.__post_init__(self)


class FederatedClasses:
    """Classes of which every image was checked for a few only.

    An image lists the classes it is known to lack (`neg_category_ids`); of the others nobody
    looked whether they are there. It also lists classes of which not every instance is annotated
    (`not_exhaustive_category_ids`). An image without these keys is taken for fully annotated: it
    lacks all other classes that the file has an annotation of.
    """

    def __init__(self, index: CocoIndex, *, incomplete: bool) -> None:
        self.counts: Counter[str] = Counter()
        self._incomplete = incomplete
        self._annotated = index.supervision.annotated
        phrases = {key: phrases_of(name) for key, name in index.categories.items()}
        # What is `bow_(weapon)` and `bow_(ribbon)` without the sense is neither.
        uses = Counter(options[0] for options in phrases.values())
        self._phrases = {
            key: options for key, options in phrases.items() if options[0] and uses[options[0]] == 1
        }
        if unnamed := len(phrases) - len(self._phrases):
            self.counts[_UNNAMED] = unnamed

    def phrase(self, category: str, rng: np.random.Generator) -> str | None:
        options = self._phrases.get(category)
        if options is None:
            return None
        return options[int(rng.integers(len(options)))] if len(options) > 1 else options[0]

    def absent(
        self, image: dict[str, Any], present: set[str], num: int, rng: np.random.Generator
    ) -> list[str]:
        checked = image.get("neg_category_ids")
        lacking: Collection[str] = self._annotated
        if checked is not None:
            lacking = set(map(id_text, listed(checked, "neg_category_ids")))
        candidates = [c for c in self._phrases if c not in present and c in lacking]
        return draw_absent(candidates, num, rng)

    def incomplete(self, image: dict[str, Any]) -> set[str]:
        if self._incomplete:
            return set()
        return set(
            map(
                id_text,
                listed(image.get("not_exhaustive_category_ids"), "not_exhaustive_category_ids"),
            )
        )


def phrases_of(name: str) -> list[str]:
    """What a category may be asked by: an object by one phrase, a part (`obj:part`) by two."""
    words = [
        " ".join(_SENSE.sub("", side).replace("_", " ").split()).lower()
        for side in name.split(":", 1)
    ]
    if len(words) == 1 or not all(words):
        return [" ".join(filter(None, words))]
    whole, part = words
    return [f"{whole} {part}", f"the {part} of the {whole}"]


def build_paco_lvis(config: PacoLvisBuildConfig) -> RecordSet:
    """Build the set of `config`."""
    index = open_index(config)
    classes = FederatedClasses(index, incomplete=config.incomplete)
    return build_classes(config, index, classes, "paco_lvis")
