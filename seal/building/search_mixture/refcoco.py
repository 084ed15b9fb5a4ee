"""RefCLEF, RefCOCO, RefCOCO+ and RefCOCOg to search-model records: each sentence an expression."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from seal.building.formats.entry_errors import ErrorsAt
from seal.building.formats.fields import box_inside, given, id_text, image_size, text
from seal.building.formats.image_lookup import ImageFiles, Unusable
from seal.building.formats.json_arrays import read_element, stream_arrays
from seal.building.records.source_files import require_sources
from seal.building.records.writer import BuildConfig, Outcome, build_set
from seal.building.search_mixture.refer_sentences import (
    Sentence,
    held_out_images,
    known_dataset,
    photo_name,
    read_refs,
    sentences_of,
    usual_split,
)
from seal.building.sources.photo_layouts import coco_places
from seal.data.masks import RLE, merge_rles, segmentation_to_rle
from seal.data.record_set import Expression, Record, RecordSet
from seal.files.digest import file_facts
from seal.geometry import Box

AMBIGUOUS = ("drop", "keep")


@dataclass(kw_only=True, slots=True)
class RefcocoBuildConfig(BuildConfig):
    """`annotations` is the folder of one dataset: `instances.json` and `refs(SPLIT_BY).p`."""

    dataset: str | None = None  # one of DATASETS; None: what the folder is called
    split_by: str | None = None  # who split it; None: umd for refcocog, unc for the others
    split: str = "train"
    license: str = "unknown"  # of images that name none
    # Sentences said of several objects of an image, which teach that all but one are not there.
    # None: dropped from train, kept elsewhere, where published figures count every sentence.
    ambiguous: str | None = None  # drop | keep
    exclude: list[str] = field(default_factory=list)  # dataset folders: what they hold out is not
    # used, so that training on one dataset does not see the test images of another

    def __post_init__(self) -> None:
        BuildConfig.__post_init__(self)
        if self.dataset is None:
            self.dataset = Path(self.annotations).name
        self.dataset = known_dataset(self.dataset)
        if self.split_by is None:
            self.split_by = usual_split(self.dataset)
        if self.ambiguous is None:
            self.ambiguous = "drop" if self.split == "train" else "keep"
        if self.ambiguous not in AMBIGUOUS:
            raise ValueError(f"ambiguous={self.ambiguous!r} is none of {', '.join(AMBIGUOUS)}")

    @property
    def source(self) -> str:
        """The dataset in ids and records; a `+` has no place in a folder of records."""
        return str(self.dataset).replace("+", "plus")


class RefcocoIndex:
    """The sentences of a split by image, and where the entries that they need stand.

    The refs are a pickle and come whole, 50 MB at most; of `instances.json`, of which most is
    about other objects, only what the split names is kept.
    """

    def __init__(self, config: RefcocoBuildConfig) -> None:
        self.config = config
        self.counts: Counter[str] = Counter()
        self.path = Path(config.annotations) / "instances.json"
        if not self.path.is_file():
            raise ValueError(f"{self.path} is not a file; annotations= names a dataset's folder")
        self.refs_path = Path(config.annotations) / f"refs({config.split_by}).p"
        refs = read_refs(self.refs_path)
        splits = Counter(str(ref["split"]) for ref in refs)
        if config.split not in splits:
            raise ValueError(
                f"{self.refs_path} has no split={config.split!r}; it has {dict(splits)}"
            )
        held_out = {image for folder in config.exclude for image in held_out_images(Path(folder))}
        self.sentences: dict[str, list[Sentence]] = {}  # image id as text -> in order of the refs
        self.names: dict[str, str] = {}  # image id -> the file name that its first ref gives
        for ref in refs:
            image = id_text(ref["image_id"])
            if ref["split"] != config.split:
                continue
            if image in held_out:
                self.counts["refs of images held out elsewhere"] += 1
                continue
            self.sentences.setdefault(image, []).extend(sentences_of(ref, self.refs_path))
            self.names.setdefault(image, photo_name(ref["file_name"]))
        self.images = list(self.sentences)
        self.entries: dict[str, dict[str, Any]] = {}  # image id -> its entry
        self.spans: dict[str, tuple[int, int]] = {}  # annotation id -> bytes of its entry
        self.licenses: dict[str, str] = {}
        self._read_instances()

    def __len__(self) -> int:
        return len(self.images)

    def _read_instances(self) -> None:
        wanted = {s.ann_id for sentences in self.sentences.values() for s in sentences}
        for element in stream_arrays(self.path):
            entry = element.value
            try:
                if element.key == "images" and id_text(entry["id"]) in self.sentences:
                    keys = ("file_name", "width", "height", "license")
                    self.entries[id_text(entry["id"])] = {k: entry[k] for k in keys if k in entry}
                elif element.key == "annotations" and id_text(entry["id"]) in wanted:
                    self.spans[id_text(entry["id"])] = (element.start, element.end)
                elif element.key == "licenses":
                    self.licenses[id_text(entry["id"])] = text(
                        "" if entry["name"] is None else entry["name"], "name"
                    )
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(
                    f"{self.path}: byte {element.start}: a broken entry of {element.key}: {error!r}"
                ) from error


class RefcocoMaker:
    """Makes the record of one image."""

    def __init__(self, index: RefcocoIndex) -> None:
        self.config = index.config
        self.index = index
        self.files = ImageFiles(self.config.images, drop_folders=False)

    def __call__(self, item: int) -> Outcome:
        image = self.index.images[item]
        outcome = Outcome()
        counts: Counter[str] = Counter()
        with ErrorsAt(f"{self.index.path}: image {image}"):
            record = self._record(image, counts)
        outcome.counts.update({reason: n for reason, n in counts.items() if n})
        if record is not None:
            outcome.records.append(record)
        return outcome

    def _record(self, image: str, counts: Counter[str]) -> Record | None:
        index, config = self.index, self.config
        entry = index.entries.get(image)
        if entry is None:
            counts[Unusable("image not in instances.json", f"id {image} in {index.path}")] = 1
            return None
        width, height = image_size(entry)
        names = [text(entry["file_name"], "file_name")] if "file_name" in entry else []
        places = [p for name in [*names, index.names[image]] for p in self._places(name)]
        found = self.files.look(places, (width, height))
        if isinstance(found, str):
            counts[found] = 1
            return None
        said = self._unambiguous(_once(index.sentences[image], counts), counts)
        objects = self._objects({s.ann_id: None for s in said}, image, width, height, counts)
        kept = [sentence for sentence in said if sentence.ann_id in objects]
        counts["sentences without a usable object"] += len(said) - len(kept)
        if not kept:
            counts["image without a usable sentence"] = 1
            return None
        return Record(
            id=f"{config.source}-{image}",
            source=config.source,
            license=_license(entry, index.licenses) or config.license,
            image=found.name,
            width=width,
            height=height,
            expressions=tuple(
                Expression(s.text, (objects[s.ann_id][0],), objects[s.ann_id][1]) for s in kept
            ),
            meta={
                "image_id": image,
                "split": f"{config.split_by} {config.split}",
                "ref_ids": [s.ref_id for s in kept],  # of each expression
                "sent_ids": [s.sent_id for s in kept],
            },
        )

    def _places(self, name: str) -> list[str]:
        if self.config.dataset != "refclef":
            return coco_places(name)
        # Flat in the download of `refer`; in that of SAIAPR TC-12 itself a thousand a folder.
        flat = PurePosixPath(name).name
        number = PurePosixPath(flat).stem
        places = [name, f"saiapr_tc-12/{flat}", f"images/saiapr_tc-12/{flat}"]
        if number.isdecimal():
            folder = f"{int(number) // 1000:02d}/images/{flat}"
            places += [folder, f"saiapr_tc-12/{folder}"]
        return places

    def _unambiguous(self, said: list[Sentence], counts: Counter[str]) -> list[Sentence]:
        objects: dict[str, set[str]] = {}
        for sentence in said:
            objects.setdefault(sentence.text.casefold(), set()).add(sentence.ann_id)
        clear = [s for s in said if len(objects[s.text.casefold()]) == 1]
        dropped = self.config.ambiguous == "drop"
        reason = "dropped" if dropped else "kept"
        counts[f"sentences said of several objects, {reason}"] += len(said) - len(clear)
        return clear if dropped else said

    def _objects(
        self, wanted: dict[str, None], image: str, width: int, height: int, counts: Counter[str]
    ) -> dict[str, tuple[Box, RLE | None]]:
        """The box and the mask of each annotation that has them.

        A crowd keeps its box here: the sentence speaks of it as of one thing.
        """
        objects: dict[str, tuple[Box, RLE | None]] = {}
        with self.index.path.open("rb") as file:
            for ann_id in wanted:
                if ann_id not in self.index.spans:
                    counts["objects not in instances.json"] += 1
                    continue
                annotation = read_element(file, *self.index.spans[ann_id])
                if id_text(annotation["image_id"]) != image:
                    counts["objects of another image"] += 1
                    continue
                box = box_inside(annotation["bbox"], width, height)
                if box is None:
                    counts["boxes without area"] += 1
                    continue
                segmentation = annotation.get("segmentation")
                objects[ann_id] = box, _mask(segmentation, width, height, counts)
        return objects


def build_refcoco(config: RefcocoBuildConfig) -> RecordSet:
    """Build the set of `config`."""
    require_sources(config.images)
    index = RefcocoIndex(config)
    settings = {
        "annotations": [file_facts(index.refs_path), file_facts(index.path)],
        **{
            name: getattr(config, name)
            for name in ("limit", "dataset", "split_by", "split", "license", "ambiguous", "exclude")
        },
    }
    return build_set(
        config,
        RefcocoMaker(index),
        len(index),
        builder="refcoco",
        settings=settings,
        counts=dict(index.counts),
    )


def _once(said: list[Sentence], counts: Counter[str]) -> list[Sentence]:
    """Without empty sentences and without those said again of the same object."""
    filled = [sentence for sentence in said if sentence.text]
    counts["empty sentences"] += len(said) - len(filled)
    once = {(s.ann_id, s.text.casefold()): s for s in reversed(filled)}  # the first of them stays
    kept = [s for s in filled if once[s.ann_id, s.text.casefold()] is s]
    counts["sentences said again of the same object"] += len(filled) - len(kept)
    return kept


def _license(entry: dict[str, Any], licenses: dict[str, str]) -> str | None:
    value = given(entry.get("license"))
    return None if value in (None, "") else licenses.get(id_text(value))


def _mask(segmentation: Any, width: int, height: int, counts: Counter[str]) -> RLE | None:
    segmentation = given(segmentation)
    if not segmentation:
        counts["objects without a segmentation"] += 1
        return None
    # RefCLEF has a list of RLEs where COCO has a list of polygons.
    rles = isinstance(segmentation, list) and all(isinstance(s, dict) for s in segmentation)
    parts = segmentation if rles else [segmentation]
    try:
        return merge_rles([segmentation_to_rle(part, height, width) for part in parts])
    except (ValueError, KeyError, TypeError, OverflowError):
        counts["broken segmentations"] += 1
        return None
