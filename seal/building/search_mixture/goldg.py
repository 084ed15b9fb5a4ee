"""GoldG (MDETR's annotations) to search-model records: phrases of captions, a box for each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seal.building.coco.index import CocoIndex
from seal.building.formats.entry_errors import ErrorsAt
from seal.building.formats.fields import box_inside, checked_id, image_size, text, whole
from seal.building.formats.image_lookup import ImageFiles
from seal.building.records.source_files import require_sources, source_settings
from seal.building.records.writer import BuildConfig, Outcome, build_set
from seal.building.sources.photo_layouts import coco_places, flickr_places, visual_genome_places
from seal.data.record_set import Expression, Record, RecordSet
from seal.geometry import Box


@dataclass(kw_only=True, slots=True)
class GoldgBuildConfig(BuildConfig):
    """`annotations` is `final_mixed_train.json` or `final_flickr_separateGT_train.json`."""

    source: str | None = None  # of ids and records; None: goldg_mixed, goldg_flickr
    license: str = "unknown"

    def __post_init__(self) -> None:
        BuildConfig.__post_init__(self)


class GoldgMaker:
    """Makes the record of one image entry.

    An entry is one caption, and a photo has many entries. The two files use the same ids for
    different entries, so that nothing is joined across files, and nothing by position: the
    original attached annotations by their place in both files together.
    """

    def __init__(self, config: GoldgBuildConfig, index: CocoIndex) -> None:
        self.config = config
        self.index = index
        self.files = ImageFiles(config.images, drop_folders=False)

    def __call__(self, row: int) -> Outcome:
        outcome = Outcome()
        counts: Counter[str] = Counter()
        with ErrorsAt(self.index.where(row)):
            record = self._record(*self.index.read(row), counts)
        outcome.counts.update({reason: n for reason, n in counts.items() if n})
        if record is not None:
            outcome.records.append(record)
        return outcome

    def _record(
        self, entry: dict[str, Any], annotations: list[dict[str, Any]], counts: Counter[str]
    ) -> Record | None:
        config = self.config
        width, height = image_size(entry)  # text in the Flickr file
        image = self.files.look(photo_places(entry), (width, height))
        if isinstance(image, str):
            counts[image] = 1
            return None
        expressions: dict[tuple[str, Box], Any] = {}  # -> id of the annotation
        for annotation in annotations:
            text = phrase(entry["caption"], annotation["tokens_positive"], counts)
            if text is None:
                continue
            box = box_inside(annotation["bbox"], width, height)
            if box is None:
                counts["boxes without area"] += 1
            elif (text, box) in expressions:
                counts["annotations that occur twice"] += 1
            else:
                expressions[text, box] = checked_id(annotation.get("id"))
        if not expressions:
            counts["image without a usable phrase"] = 1
            return None
        phrases = Counter(text for text, _ in expressions)
        counts["expressions that share their phrase with another"] = sum(
            n for n in phrases.values() if n > 1
        )
        source = config.source or "_".join(["goldg", *filter(None, [entry.get("dataset_name")])])
        photo = checked_id(entry.get("original_id", entry.get("original_img_id")))
        return Record(
            id=f"{source}-{entry['id']}",
            source=source,
            license=config.license,
            image=image.name,
            width=width,
            height=height,
            expressions=tuple(Expression(text, (box,)) for text, box in expressions),
            meta={
                "image_id": str(entry["id"]),
                "photo_id": None if photo is None else str(photo),
                "annotation_ids": [str(i) for i in expressions.values()],  # of each expression
            },
        )


def photo_places(entry: dict[str, Any]) -> list[str]:
    """Where the photo of an image entry may lie below the image root."""
    name = text(entry["file_name"], "file_name")
    kind = entry.get("data_source") or entry.get("dataset_name")
    if kind == "coco":
        return coco_places(name)
    if kind not in ("vg", "flickr"):
        raise ValueError(f"data_source {kind!r} is none of coco, vg, flickr")
    return visual_genome_places(name) if kind == "vg" else flickr_places(name)


def phrase(caption: str, spans: list[list[int]], counts: Counter[str]) -> str | None:
    """The words of a caption at `spans`, [first, behind the last] characters, in reading order.

    None, and counted, where a span lies outside the caption or holds no words. Spans are counted
    in characters, as Python counts; in a caption beyond ASCII, one that begins or ends within a
    word tells that its maker counted bytes.
    """
    if not isinstance(caption, str):
        raise ValueError(f"a caption must be text, got {caption!r}")
    words = []
    for start, end in sorted([whole(place, "tokens_positive") for place in span] for span in spans):
        if not 0 <= start < end <= len(caption):
            counts["spans outside their caption"] += 1
            return None
        if not caption.isascii() and (_within_word(caption, start) or _within_word(caption, end)):
            counts["spans that cut words of a caption beyond ASCII"] += 1
            return None
        words += caption[start:end].split()
    if not any(character.isalnum() for word in words for character in word):
        counts["phrases without words"] += 1
        return None
    return " ".join(words)


def build_goldg(config: GoldgBuildConfig) -> RecordSet:
    """Build the set of `config`."""
    require_sources(config.images, annotations=config.annotations)
    index = CocoIndex(Path(config.annotations), classes=False)
    return build_set(
        config,
        GoldgMaker(config, index),
        len(index),
        builder="goldg",
        settings=source_settings(config, "source", "license"),
        counts=dict(index.counts),
    )


def _within_word(text: str, place: int) -> bool:
    return 0 < place < len(text) and text[place - 1].isalnum() and text[place].isalnum()
