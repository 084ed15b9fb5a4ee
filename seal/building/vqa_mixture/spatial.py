"""COCO-format annotations to questions about where one object is relative to another."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from seal.building.coco.images import image_files, image_names
from seal.building.coco.index import CocoIndex
from seal.building.coco.instances import Instance, coco_instances
from seal.building.coco.same_photo import open_photos
from seal.building.formats.entry_errors import ErrorsAt
from seal.building.formats.fields import image_size
from seal.building.formats.image_lookup import ImageFile
from seal.building.records.source_files import require_sources, source_settings
from seal.building.records.writer import BuildConfig, Outcome, build_set
from seal.building.vqa_mixture.crop_conversations import focused_conversation
from seal.data.record_set import Record, RecordSet, RecordTarget
from seal.geometry import Box

# (question, answer). `a` and `b` are the objects with their articles, `is_` and `Is` agree with a;
# `first` and `second` are the two relations in the order they are offered in, `relation` the true
# one. The first form of each axis is that of V*Bench.
FORMS = {
    "horizontal": (
        (
            "{Is} {a} on the {first} or {second} side of {b}?",
            "{A} {is_} on the {relation} side of {b}.",
        ),
        (
            "{Is} {a} to the {first} or to the {second} of {b}?",
            "{A} {is_} to the {relation} of {b}.",
        ),
        (
            "On which side of {b} {is_} {a}, {first} or {second}?",
            "{A} {is_} on the {relation} side of {b}.",
        ),
        (
            "Looking at the picture, {is_} {a} {first} or {second} of {b}?",
            "{A} {is_} {relation} of {b}.",
        ),
    ),
    "vertical": (
        ("{Is} {a} {first} or {second} {b}?", "{A} {is_} {relation} {b}."),
        (
            "Where {is_} {a} in relation to {b}, {first} or {second} it?",
            "{A} {is_} {relation} {b}.",
        ),
        ("Looking at the picture, {is_} {a} {first} or {second} {b}?", "{A} {is_} {relation} {b}."),
    ),
}
RELATIONS = {"horizontal": ("left", "right"), "vertical": ("above", "below")}
# Category names of COCO that are plural in form; `it` does not stand for them.
PLURAL = frozenset({"skis", "scissors"})


@dataclass(kw_only=True, slots=True)
class SpatialBuildConfig(BuildConfig):
    """`annotations` is a COCO instances file, or anything in its form."""

    source: str = "spatial"  # goes into ids and records
    license: str = "unknown"  # of images that name none
    max_questions: int = 2  # about one image, each about another pair
    min_side: float = 20.0  # pixels of the shorter side of both boxes
    min_gap: float = 0.08  # between the centers, along the asked axis, as a share of the image
    max_overlap: float = 0.1  # of the boxes along the asked axis, as a share of the shorter one
    dominance: float = 1.0  # the centers lie this many times further apart that way than the other
    min_column: float = 0.5  # above and below: of the narrower box's width, shared by both boxes
    vertical_share: float = 0.5  # of questions about above and below, where an image has both

    def __post_init__(self) -> None:
        BuildConfig.__post_init__(self)
        for name, least, most in (
            ("max_questions", 1, None),
            ("min_side", 0, None),
            ("min_gap", 0, 1),
            ("max_overlap", 0, 1),
            ("dominance", 0, None),
            ("min_column", 0, 1),
            ("vertical_share", 0, 1),
        ):
            value = getattr(self, name)
            if value < least or (most is not None and value > most):
                limit = f"at least {least}" if most is None else f"in [{least}, {most}]"
                raise ValueError(f"{name}={value} must be {limit}")


class SpatialMaker:
    """Makes the questions about one image."""

    def __init__(self, config: SpatialBuildConfig, index: CocoIndex) -> None:
        self.config = config
        self.index = index
        self.files = image_files(config.images, index)

    def __call__(self, row: int) -> Outcome:
        entry, annotations = self.index.read(row)
        with ErrorsAt(self.index.where(row)):
            return self._outcome(row, entry, annotations)

    def _outcome(
        self, row: int, entry: dict[str, Any], annotations: list[dict[str, Any]]
    ) -> Outcome:
        width, height = image_size(entry)
        counts: Counter[str] = Counter()
        found = coco_instances(self.index, annotations, width, height, counts)
        things = [
            thing
            for thing in found.certain()
            if min(thing.box.width, thing.box.height) >= self.config.min_side
        ]
        pairs: dict[str, list[tuple[Instance, Instance]]] = {axis: [] for axis in RELATIONS}
        for a, b in combinations(things, 2):
            for axis in RELATIONS:
                if clear_relation(a.box, b.box, axis, width, height, self.config):
                    pairs[axis].append((a, b))
        outcome = Outcome(counts=counts)
        if len(things) < 2:
            counts["fewer than two unambiguous objects"] = 1
        elif not any(pairs.values()):
            counts["no pair with a clear relation"] = 1
        elif isinstance(image := self.files.look(image_names(entry), (width, height)), str):
            counts[image] = 1
        else:
            rng = np.random.default_rng((self.config.seed, row))
            outcome.records = self._records(entry, image, pairs, rng, counts)
        return outcome

    def _records(
        self,
        entry: dict[str, Any],
        image: ImageFile,
        pairs: dict[str, list[tuple[Instance, Instance]]],
        rng: np.random.Generator,
        counts: Counter[str],
    ) -> list[Record]:
        records: list[Record] = []
        asked: set[tuple[str, str]] = set()
        while len(records) < self.config.max_questions:
            left = {
                axis: [pair for pair in members if _key(pair) not in asked]
                for axis, members in pairs.items()
            }
            if not any(left.values()):
                break
            axis = "vertical" if rng.random() < self.config.vertical_share else "horizontal"
            if not left[axis]:
                axis = next(other for other in RELATIONS if other != axis)
            pair = left[axis][int(rng.integers(len(left[axis])))]
            asked.add(_key(pair))
            a, b = pair if rng.random() < 0.5 else pair[::-1]
            relation = relation_of(a.box, b.box, axis)
            counts[f"answers: {relation}"] += 1
            names = [self.index.categories[thing.category] for thing in (a, b)]
            turn = spatial_turn(names[0], names[1], axis, relation, rng)
            records.append(
                Record(
                    id=f"{self.config.source}-{entry['id']}-{len(records)}",
                    source=self.config.source,
                    license=self.index.license(entry, self.config.license),
                    image=image.name,
                    width=image.width,
                    height=image.height,
                    conversations=focused_conversation([turn], 2),
                    targets=(RecordTarget(names[0], a.box), RecordTarget(names[1], b.box)),
                    meta={
                        "image_id": entry["id"],
                        "annotation_ids": [a.source_id, b.source_id],
                        "relation": relation,
                    },
                )
            )
        return records


def clear_relation(
    a: Box, b: Box, axis: str, width: int, height: int, config: SpatialBuildConfig
) -> bool:
    """Whether nobody would argue about how `a` lies to `b` along `axis`.

    Their centers are far enough apart, further than across the axis, and along it the boxes hardly
    share an interval. What is above another thing also stands in one column with it: what merely
    lies further back is higher in the picture, but nobody would say above.
    """
    sides = [(a.x0, a.x1, b.x0, b.x1), (a.y0, a.y1, b.y0, b.y1)]
    along, across = sides if axis == "horizontal" else sides[::-1]
    gap, sideways = _gap(*along), _gap(*across)
    return (
        gap >= config.min_gap * (width if axis == "horizontal" else height)
        and gap >= config.dominance * sideways
        and _shared(*along) <= config.max_overlap
        and (axis == "horizontal" or _shared(*across) >= config.min_column)
    )


def relation_of(a: Box, b: Box, axis: str) -> str:
    """Where `a` is, seen from `b`."""
    if axis == "horizontal":
        return "left" if a.x0 + a.x1 < b.x0 + b.x1 else "right"
    return "above" if a.y0 + a.y1 < b.y0 + b.y1 else "below"


def spatial_turn(
    a: str, b: str, axis: str, relation: str, rng: np.random.Generator
) -> tuple[str, str]:
    """A question and its full-sentence answer in a drawn form."""
    forms = FORMS[axis]
    if b in PLURAL:
        forms = tuple(form for form in forms if " it?" not in form[0])
    question, answer = forms[int(rng.integers(len(forms)))]
    first, second = RELATIONS[axis] if rng.random() < 0.5 else RELATIONS[axis][::-1]
    verb = "are" if a in PLURAL else "is"
    words = {
        "a": f"the {a}",
        "A": f"The {a}",
        "b": f"the {b}",
        "is_": verb,
        "Is": verb.capitalize(),
        "first": first,
        "second": second,
        "relation": relation,
    }
    return question.format(**words), answer.format(**words)


def build_spatial(config: SpatialBuildConfig) -> RecordSet:
    """Build the set of `config`."""
    require_sources(config.images, annotations=config.annotations)
    index = open_photos(config)
    return build_set(
        config,
        SpatialMaker(config, index),
        len(index),
        builder="spatial",
        settings=source_settings(
            config,
            "source",
            "license",
            "max_questions",
            "min_side",
            "min_gap",
            "max_overlap",
            "dominance",
            "min_column",
            "vertical_share",
        ),
        counts=dict(index.counts),
    )


def _gap(a0: float, a1: float, b0: float, b1: float) -> float:
    """Between the centers of two intervals."""
    return abs((a0 + a1) - (b0 + b1)) / 2


def _shared(a0: float, a1: float, b0: float, b1: float) -> float:
    """What two intervals have in common, as a share of the shorter one."""
    return max(0.0, min(a1, b1) - max(a0, b0)) / min(a1 - a0, b1 - b0)


def _key(pair: tuple[Instance, Instance]) -> tuple[str, str]:
    return pair[0].category, pair[1].category
