"""LLaVA conversations whose words name annotated objects to records with those objects' crops."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seal.building.coco.images import image_files, image_names
from seal.building.coco.index import CocoIndex
from seal.building.coco.instances import Instance, Instances, coco_instances
from seal.building.coco.same_photo import open_photos
from seal.building.formats.entry_errors import ErrorsAt
from seal.building.formats.fields import checked_id, image_size
from seal.building.formats.image_lookup import Unusable
from seal.building.formats.json_members import MemberIndex
from seal.building.language.reserved_marks import mark_in
from seal.building.records.source_files import require_sources, source_settings
from seal.building.records.writer import BuildConfig, Outcome, build_set
from seal.building.vqa_mixture.crop_conversations import focused_conversation
from seal.building.vqa_mixture.llava_entries import read_llava_entry
from seal.building.vqa_mixture.mentioned_categories import Mention, MentionFinder
from seal.data.record_set import ASSISTANT, HUMAN, Record, RecordSet, RecordTarget
from seal.text.phrases import choose_parser
from seal.text.tokens import IMAGE_PLACEHOLDER

MENTIONS = ("conversation", "questions")
_PREFIX = re.compile(r"^COCO_(train|val)2014_")
# Names that no one person answers to.
_CONTRADICTIONS = (
    (frozenset({"man", "guy", "boy"}), frozenset({"woman", "lady", "girl"})),
    (frozenset({"man", "guy", "woman", "lady"}), frozenset({"boy", "girl", "child", "kid"})),
)


@dataclass(kw_only=True, slots=True)
class FocusBuildConfig(BuildConfig):
    """`annotations` is the COCO instances file of the images that the conversations are about."""

    llava: str  # LLaVA-Instruct: a list of {id, image, conversations}
    source: str = "llava_focus"  # goes into ids and records
    license: str = "CC BY-NC 4.0"  # of the conversations; the image's own goes into `meta`
    max_targets: int = 3  # the layout of training has room for three crops
    min_side: float = 8.0  # pixels of a target's shorter side
    mentions: str = "conversation"  # which words name targets; questions: answers do not

    def __post_init__(self) -> None:
        BuildConfig.__post_init__(self)
        if self.max_targets < 1 or self.min_side < 0:
            raise ValueError(
                f"max_targets={self.max_targets} must be >= 1, min_side={self.min_side} >= 0"
            )
        if self.mentions not in MENTIONS:
            raise ValueError(f"mentions={self.mentions!r} is none of {', '.join(MENTIONS)}")


class FocusMaker:
    """Makes the record of one conversation."""

    def __init__(self, config: FocusBuildConfig, index: CocoIndex, talks: MemberIndex) -> None:
        self.config = config
        self.index = index
        self.talks = talks
        self.rows = _rows_by_name(index)
        self.files = image_files(config.images, index)

    def __call__(self, item: int) -> Outcome:
        entry = self.talks.read(item)[1]
        where = self.talks.where(item)
        with ErrorsAt(where, "not a conversation"):
            read = read_llava_entry(entry)
            talk = checked_id(entry.get("id"))
        outcome = Outcome()
        if isinstance(read, str):
            outcome.counts[read] = 1
            return outcome
        image, turns = read.image, _turns(read.turns)
        text = "\n".join(side for turn in turns for side in turn)
        if not image:
            outcome.counts["conversation without an image"] = 1
        elif (mark := mark_in(text)) is not None:
            outcome.counts[f"{mark} in the text"] = 1
        elif not turns:
            outcome.counts["turns that do not alternate or are empty"] = 1
        elif (name := _key(image)) in self.rows and self.rows[name] is None:
            outcome.counts["image whose name several have"] = 1
        elif (row := self.rows.get(name)) is None:
            reason = Unusable("image not in the annotations", f"{image} of {where}")
            outcome.counts[reason] = 1
        else:
            self._fill(outcome, item, row, turns, talk)
        return outcome

    def _fill(
        self, outcome: Outcome, item: int, row: int, turns: list[tuple[str, str]], talk: Any
    ) -> None:
        image, annotations = self.index.read(row)
        counts: Counter[str] = Counter()
        with ErrorsAt(self.index.where(row)):
            width, height = image_size(image)
            found = coco_instances(self.index, annotations, width, height, counts)
            targets = self._targets(turns, found, counts)
            outcome.counts = counts
            if not targets:
                counts["no unambiguous object is named"] += 1
            elif isinstance(file := self.files.look(image_names(image), (width, height)), str):
                counts[file] += 1
            else:
                counts[f"records with {len(targets)} targets"] += 1
                record = Record(
                    id=f"{self.config.source}-{item}",  # ids of the source repeat
                    source=self.config.source,
                    license=self.config.license,
                    image=file.name,
                    width=width,
                    height=height,
                    conversations=focused_conversation(turns, len(targets)),
                    targets=tuple(RecordTarget(name, thing.box) for name, thing in targets),
                    meta={
                        "llava_id": talk,
                        "image_id": image["id"],
                        "annotation_ids": [thing.source_id for _, thing in targets],
                        "image_license": self.index.license(image, "unknown"),
                    },
                )
                outcome.records.append(record)

    def _targets(
        self, turns: Sequence[tuple[str, str]], found: Instances, counts: Counter[str]
    ) -> list[tuple[str, Instance]]:
        # The parser is chosen here: spaCy's does not travel between processes.
        finder = MentionFinder(self.index.categories, choose_parser()[0])
        texts = [question for question, _ in turns]
        if self.config.mentions == "conversation":
            texts += [answer for _, answer in turns]
        mentions = [mention for text in texts for mention in finder(text)]
        return choose_targets(mentions, found, self.config, counts)


def choose_targets(
    mentions: Sequence[Mention],
    found: Instances,
    config: FocusBuildConfig,
    counts: Counter[str],
) -> list[tuple[str, Instance]]:
    """The objects that mentions stand for beyond doubt, in the order of their first mention.

    A singular needs a category with one instance. A plural takes all instances, if the image has
    as many as the text says, or two, or if the plural covers the category whole (`people`, not
    `men`), and if all of them fit `max_targets`. Anything else could be any of several objects,
    and is left out, as is a category whose number is told otherwise, and an object that goes by
    names that contradict each other.
    """
    miscounted = {
        category
        for mention in mentions
        if mention.number is not None and mention.whole and not _agrees(mention, found)
        for category in mention.categories
    }
    chosen: dict[Instance, list[str]] = {}  # the names each goes by
    groups: list[list[Instance]] = []
    for mention in mentions:
        members = [thing for c in mention.categories for thing in found.of.get(c, [])]
        certain = not (found.uncertain | miscounted).intersection(mention.categories)
        if not members and certain:
            counts["names of what the annotations do not show"] += 1
            continue
        if not (certain and _agrees(mention, found)):
            counts["names that could be any of several objects"] += 1
            continue
        if any(min(thing.box.width, thing.box.height) < config.min_side for thing in members):
            counts["names of objects under min_side"] += 1
            continue
        if members not in groups:
            groups.append(members)
        for thing in members:
            chosen.setdefault(thing, []).append(mention.name)
    targets: dict[Instance, str] = {}
    for members in groups:
        new = [thing for thing in members if thing not in targets]
        if any(_contradict(chosen[thing]) for thing in new):
            counts["objects with names that contradict each other"] += 1
        elif len(targets) + len(new) > config.max_targets:
            counts["names beyond max_targets"] += 1
        else:
            targets.update({thing: chosen[thing][0] for thing in new})
    return [(name, thing) for thing, name in targets.items()]


def _agrees(mention: Mention, found: Instances) -> bool:
    """Whether a phrase can mean exactly the instances there are."""
    instances = sum(len(found.of.get(category, [])) for category in mention.categories)
    if mention.number is not None:
        return mention.number == instances
    if not mention.plural:
        return instances == 1
    return instances == 2 or (mention.whole and instances > 1)


def _contradict(names: Sequence[str]) -> bool:
    return any(one.intersection(names) and two.intersection(names) for one, two in _CONTRADICTIONS)


def _turns(messages: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """(question, answer) pairs without image marks; none if they break a rule of records."""
    values = []
    for number, (speaker, value) in enumerate(messages):
        if speaker != (HUMAN, ASSISTANT)[number % 2]:
            return []
        values.append(value.replace(IMAGE_PLACEHOLDER, "").strip())
    if len(values) % 2 or not all(values):
        return []
    return list(zip(values[::2], values[1::2], strict=True))


def _key(name: str) -> str:
    """What an image is known by in both sources: its file's name without folders and prefix."""
    return _PREFIX.sub("", name.replace("\\", "/").rpartition("/")[2])


def _rows_by_name(index: CocoIndex) -> dict[str, int | None]:
    """Where the image of a name stands; None: several have that name."""
    rows: dict[str, int | None] = {}
    for row in range(len(index)):
        with ErrorsAt(index.where(row)):
            name = _key(image_names(index.entry(row))[0])
        rows[name] = None if name in rows else row
    return rows


def build_focus(config: FocusBuildConfig) -> RecordSet:
    """Build the set of `config`."""
    require_sources(config.images, annotations=config.annotations, llava=config.llava)
    index = open_photos(config)
    talks = MemberIndex(Path(config.llava), listed=True)
    settings = source_settings(
        config,
        "source",
        "license",
        "max_targets",
        "min_side",
        "mentions",
        files=("annotations", "llava"),
    )
    settings["parser"] = choose_parser()[1]
    return build_set(
        config,
        FocusMaker(config, index, talks),
        len(talks),
        builder="focus",
        settings=settings,
        counts=dict(index.counts),
    )
