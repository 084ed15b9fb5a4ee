"""GoldG (MDETR's annotations) to search-model records: phrases of captions, a box for each."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seal.building.fields import box_inside, checked_id, id_text, image_size, text, whole
from seal.building.json_stream import read_element, stream_arrays
from seal.building.photos import MISSING, coco_places, find_photo, unusable
from seal.building.writer import BuildConfig, Outcome, build_set
from seal.data.records import Expression, Record, RecordSet
from seal.geometry import Box

# Where people keep the photos; the bare root comes last, for names of the two may coincide.
_VG_FOLDERS = ("VG_100K/", "VG_100K_2/", "vg/VG_100K/", "vg/VG_100K_2/", "GQA/images/",
               "gqa/images/", "images/", "")  # fmt: skip
_FLICKR_FOLDERS = ("flickr30k-images/", "flickr30k_images/", "flickr30k/",
                   "flickr30k/flickr30k-images/", "flickr30k/images/", "images/", "")  # fmt: skip


@dataclass(kw_only=True, slots=True)
class GoldgBuildConfig(BuildConfig):
    """`annotations` is `final_mixed_train.json` or `final_flickr_separateGT_train.json`."""

    source: str | None = None  # of ids and records; None: goldg_mixed, goldg_flickr
    license: str = "unknown"

    def __post_init__(self) -> None:
        BuildConfig.__post_init__(self)


class GoldgIndex:
    """Where every image entry of a file stands, and its annotations: those that name its id.

    An entry is one caption, and a photo has many entries. The two files use the same ids for
    different entries, so that nothing is joined across files, and nothing by position: the
    original attached annotations by their place in both files together.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.counts: Counter[str] = Counter()
        image_spans, spans = array("q"), array("q")  # byte offsets, start and end by turns
        numbers: dict[str, int] = {}  # image id as text -> a number, in order of first mention
        listed, owners = array("q"), array("q")  # the number of each entry, of each annotation's
        for element in stream_arrays(path):
            key = {"images": "id", "annotations": "image_id"}.get(element.key)
            if key is None:
                continue
            if not isinstance(element.value, dict) or key not in element.value:
                raise ValueError(
                    f"{path}: byte {element.start}: an entry of {element.key} has no {key!r}"
                )
            try:
                number = numbers.setdefault(id_text(element.value[key]), len(numbers))
            except ValueError as error:
                raise ValueError(f"{path}: byte {element.start}: {key}: {error}") from error
            (listed if key == "id" else owners).append(number)
            (image_spans if key == "id" else spans).extend((element.start, element.end))
        if not listed or not owners:
            raise ValueError(f"{path} has no images or no annotations: not in GoldG's form")
        self.image_spans = np.array(image_spans, dtype=np.int64).reshape(-1, 2)
        row_of = np.full(len(numbers), -1, dtype=np.int64)
        row_of[listed] = np.arange(len(listed))
        if (row_of >= 0).sum() != len(listed):
            twice = Counter(listed).most_common(1)[0][0]
            raise ValueError(f"{path}: image id {list(numbers)[twice]} occurs twice")
        owner = row_of[owners]
        if strays := int((owner < 0).sum()):
            self.counts["annotations of unlisted images"] = strays
        self._spans = np.array(spans, dtype=np.int64).reshape(-1, 2)
        self._order = np.argsort(owner, kind="stable")
        self._starts = np.searchsorted(owner[self._order], np.arange(len(listed) + 1))

    def __len__(self) -> int:
        return len(self.image_spans)

    def read(self, row: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """An image entry and its annotations, in file order."""
        with self.path.open("rb") as file:
            image = read_element(file, *self.image_spans[row].tolist())
            own = self._order[self._starts[row] : self._starts[row + 1]]
            return image, [read_element(file, *self._spans[i].tolist()) for i in own]


class GoldgMaker:
    """Makes the record of one image entry."""

    def __init__(self, config: GoldgBuildConfig, index: GoldgIndex) -> None:
        self.config = config
        self.index = index

    def __call__(self, row: int) -> Outcome:
        outcome = Outcome()
        counts: Counter[str] = Counter()
        try:
            record = self._record(*self.index.read(row), counts)
        except KeyError as error:
            raise ValueError(f"{self._where(row)}: no key {error}") from error
        except (TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{self._where(row)}: {error}") from error
        outcome.counts.update({reason: n for reason, n in counts.items() if n})
        if record is not None:
            outcome.records.append(record)
        return outcome

    def _where(self, row: int) -> str:
        return f"{self.index.path}: image at byte {self.index.image_spans[row][0]}"

    def _record(
        self, entry: dict[str, Any], annotations: list[dict[str, Any]], counts: Counter[str]
    ) -> Record | None:
        config = self.config
        width, height = image_size(entry)  # text in the Flickr file
        name = find_photo(config.images, photo_places(entry))
        if name is None:
            counts[MISSING] = 1
            return None
        if reason := unusable(Path(config.images) / name, width, height):
            counts[reason] = 1
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
            image=name,
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
    return [folder + name for folder in (_VG_FOLDERS if kind == "vg" else _FLICKR_FOLDERS)]


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
    if not Path(config.images).is_dir():
        raise ValueError(f"images={config.images} is not a folder")
    path = Path(config.annotations)
    if not path.is_file():
        raise ValueError(f"annotations={path} is not a file")
    index = GoldgIndex(path)
    settings = {
        "annotations": path.name,
        "bytes": path.stat().st_size,
        **{name: getattr(config, name) for name in ("limit", "source", "license")},
    }
    return build_set(
        config,
        GoldgMaker(config, index),
        len(index),
        builder="goldg",
        settings=settings,
        counts=dict(index.counts),
    )


def _within_word(text: str, place: int) -> bool:
    return 0 < place < len(text) and text[place - 1].isalnum() and text[place].isalnum()
