"""A small source for every builder, with a name for whatever each of its records is about."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fuzz_files import (
    write_captions,
    write_focus,
    write_goldg,
    write_gqa,
    write_llava,
    write_objects365,
    write_paco,
    write_refer,
    write_scenes,
    write_stuff,
    write_vaw,
)

from seal.building.coco.detection import CocoBuildConfig, build_coco
from seal.building.coco.objects365 import Objects365BuildConfig, build_objects365
from seal.building.coco.paco_lvis import PacoLvisBuildConfig, build_paco_lvis
from seal.building.coco.stuff import CocoStuffBuildConfig, build_coco_stuff
from seal.building.formats.image_lookup import CORRUPT, MISSING, OTHER_SIZE, TURNED
from seal.building.search_mixture.goldg import GoldgBuildConfig, build_goldg
from seal.building.search_mixture.possible_locations import (
    PossibleLocationsBuildConfig,
    build_possible_locations,
)
from seal.building.search_mixture.refcoco import RefcocoBuildConfig, build_refcoco
from seal.building.vqa_mixture.focus import FocusBuildConfig, build_focus
from seal.building.vqa_mixture.gqa import GqaBuildConfig, build_gqa
from seal.building.vqa_mixture.llava import LlavaBuildConfig, build_llava
from seal.building.vqa_mixture.negative import NegativeBuildConfig, build_negative
from seal.building.vqa_mixture.spatial import SpatialBuildConfig, build_spatial
from seal.building.vqa_mixture.vaw import VawBuildConfig, build_vaw
from seal.data.record_set import Record, RecordSet

PHOTO = frozenset({MISSING, CORRUPT, OTHER_SIZE, TURNED})
NO_ANSWER = "no usable answer of the language model"


@dataclass(frozen=True)
class FuzzSource:
    """How a source is written and built, and what its parts have to do with its records."""

    name: str
    write: Callable[[Path], Any]
    config: Callable[[Path], Any]  # of what stands in a folder; without `out`
    build: Callable[[Any], RecordSet]
    documents: tuple[str, ...]  # JSON, pickles, tables, text
    items: Callable[[dict[str, Any]], int]  # documents by name -> items to read
    owner: Callable[[Record], str]  # the item that a record is about
    owners: Callable[[str, str, Any], set[str] | None]  # document, array, entry; None: all items
    drops: frozenset[str]  # reasons that leave an item without a record, each counted once
    maps: tuple[str, ...] = ()  # images that say what is where
    single: bool = False  # an item has one record at most, and its name may occur twice
    one_for_one: bool = True  # an item has records or one of `drops`
    size_from_file: bool = False  # no annotation says how large an image is
    optional: frozenset[str] = field(default_factory=frozenset)  # keys that may be missing or null


def image_id(record: Record) -> str:
    return str(record.meta["image_id"])


def of_coco(document: str, key: str, entry: Any) -> set[str] | None:
    if not isinstance(entry, dict) or key not in ("images", "annotations"):
        return None
    value = entry.get("id" if key == "images" else "image_id")
    return {str(value)} if isinstance(value, (int, str)) else None


def of_all(document: str, key: str, entry: Any) -> set[str] | None:
    return None


def of_key(name: str) -> Callable[[str, str, Any], set[str] | None]:
    def owners(document: str, key: str, entry: Any) -> set[str] | None:
        value = entry.get(name) if isinstance(entry, dict) else None
        return {str(value)} if isinstance(value, (int, str)) else None

    return owners


def images_of(name: str) -> Callable[[dict[str, Any]], int]:
    return lambda documents: len(documents[name]["images"])


def unique_talks(documents: dict[str, Any]) -> int:
    talks = {json.dumps([e.get("image"), e["conversations"]]) for e in documents["llava.json"]}
    return len(talks)


def images_with_sentences(documents: dict[str, Any]) -> int:
    refs = documents["refcoco/refs(unc).p"]
    return len({str(ref["image_id"]) for ref in refs if ref["split"] == "train"})


def of_refer(document: str, key: str, entry: Any) -> set[str] | None:
    return of_key("image_id")(document, key, entry) if key == "" else of_coco(document, key, entry)


def of_gqa(document: str, key: str, entry: Any) -> set[str] | None:
    return {key} if document == "q.json" else None


def of_focus(document: str, key: str, entry: Any) -> set[str] | None:
    return of_key("id")(document, key, entry) if document == "llava.json" else None


def paths(folder: Path, images: str = ".", **files: str) -> dict[str, Any]:
    found = {key: str(folder / name) for key, name in files.items()}
    return {"images": str(folder / images), "report_samples": 0} | found


MASKED = frozenset(
    {"segmentation", "iscrowd", "license", "licenses", "area", "id", "supercategory"}
)
SOURCES = [
    FuzzSource(
        name="coco",
        write=write_scenes,
        config=lambda f: CocoBuildConfig(
            **paths(f, annotations="coco.json"), out="set", max_dropped=1
        ),
        build=build_coco,
        documents=("coco.json",),
        items=images_of("coco.json"),
        owner=image_id,
        owners=of_coco,
        drops=PHOTO | {"image without objects"},
        optional=MASKED | {"bbox", "width", "height"},
    ),
    FuzzSource(
        name="objects365",
        write=write_objects365,
        config=lambda f: Objects365BuildConfig(
            **paths(f, "train", annotations="coco.json"), out="set", max_dropped=1
        ),
        build=build_objects365,
        documents=("coco.json",),
        items=images_of("coco.json"),
        owner=image_id,
        owners=of_coco,
        drops=PHOTO | {"image without objects"},
        optional=MASKED | {"width", "height"},
    ),
    FuzzSource(
        name="paco_lvis",
        write=write_paco,
        config=lambda f: PacoLvisBuildConfig(
            **paths(f, "images", annotations="paco.json"), out="set", max_dropped=1
        ),
        build=build_paco_lvis,
        documents=("paco.json",),
        items=images_of("paco.json"),
        owner=image_id,
        owners=of_coco,
        drops=PHOTO | {"image without objects"},
        optional=MASKED
        | {"bbox", "width", "height", "neg_category_ids", "not_exhaustive_category_ids"},
    ),
    FuzzSource(
        name="coco_stuff",
        write=write_stuff,
        config=lambda f: CocoStuffBuildConfig(
            **paths(f, "photos", annotations="things.json", stuff="stuff.json", maps="maps"),
            out="set",
            max_dropped=1,
        ),
        build=build_coco_stuff,
        documents=("things.json", "stuff.json"),
        items=images_of("things.json"),
        owner=image_id,
        owners=of_coco,
        drops=PHOTO
        | {"image without objects", "image not listed in the stuff file", "map missing"}
        | {"map does not decode", "map size differs from its image"},
        maps=("maps/001.png", "maps/002.png"),
        optional=MASKED | {"bbox", "width", "height"},
    ),
    FuzzSource(
        name="stuff maps",
        write=write_stuff,
        config=lambda f: CocoStuffBuildConfig(
            **paths(f, "photos", labels="labels.txt", maps="maps"), out="set", max_dropped=1
        ),
        build=build_coco_stuff,
        documents=("labels.txt",),
        items=lambda documents: 3,
        owner=image_id,
        owners=of_all,
        drops=PHOTO
        | {"image without objects", "map does not decode", "map size differs from its image"},
        maps=("maps/001.png", "maps/002.png"),
        size_from_file=True,
    ),
    FuzzSource(
        name="negative",
        write=write_captions,
        config=lambda f: NegativeBuildConfig(
            **paths(f, annotations="coco.json", captions="captions.json"), out="set", max_dropped=1
        ),
        build=build_negative,
        documents=("coco.json", "captions.json"),
        items=images_of("coco.json"),
        owner=image_id,
        owners=of_coco,
        drops=PHOTO | {NO_ANSWER, "image without another set of objects to ask for"},
        optional=MASKED | {"width", "height"},
    ),
    FuzzSource(
        name="possible_locations",
        write=write_captions,
        config=lambda f: PossibleLocationsBuildConfig(
            **paths(f, annotations="coco.json", captions="captions.json", features="features.npy"),
            out="set",
            max_dropped=1,
            neighbors=2,
        ),
        build=build_possible_locations,
        documents=("coco.json", "captions.json", "features.npy"),
        items=images_of("coco.json"),
        owner=image_id,
        owners=of_all,  # what similar images show counts too
        drops=PHOTO | {NO_ANSWER, "image without captions", "image whose like shows nothing else"},
        one_for_one=False,
        optional=MASKED | {"width", "height"},
    ),
    FuzzSource(
        name="spatial",
        write=write_scenes,
        config=lambda f: SpatialBuildConfig(
            **paths(f, annotations="coco.json"), out="set", max_dropped=1, min_side=5.0
        ),
        build=build_spatial,
        documents=("coco.json",),
        items=images_of("coco.json"),
        owner=image_id,
        owners=of_coco,
        drops=PHOTO | {"fewer than two unambiguous objects", "no pair with a clear relation"},
        optional=MASKED | {"bbox"},
    ),
    FuzzSource(
        name="focus",
        write=write_focus,
        config=lambda f: FocusBuildConfig(
            **paths(f, annotations="coco.json", llava="llava.json"), out="set", max_dropped=1
        ),
        build=build_focus,
        documents=("coco.json", "llava.json"),
        items=lambda documents: len(documents["llava.json"]),
        owner=lambda record: str(record.meta["llava_id"]),
        owners=of_focus,
        drops=PHOTO
        | {"conversation without an image", "turns that do not alternate or are empty"}
        | {"image not in the annotations", "no unambiguous object is named"}
        | {"speaker who is neither human nor gpt"},
        optional=MASKED | {"image", "bbox"},
        single=True,
    ),
    FuzzSource(
        name="gqa",
        write=write_gqa,
        config=lambda f: GqaBuildConfig(
            **paths(f, "photos", annotations="q.json", scene_graphs="g.json"),
            out="set",
            max_dropped=1,
        ),
        build=build_gqa,
        documents=("q.json", "g.json"),
        items=lambda documents: len(documents["q.json"]),
        owner=lambda record: str(record.meta["question_id"]),
        owners=of_gqa,
        drops=PHOTO
        | {NO_ANSWER, "question without text or answer", "question without annotated objects"}
        | {"question about more than max_targets objects", "image without a scene graph"}
        | {"question about an object not in the scene graph", "question about a box without area"}
        | {"question about an object under min_side"},
        optional=frozenset(
            {"annotations", "question", "answer", "fullAnswer"}
            | {"attributes", "relations", "semantic", "isBalanced"}
        ),
    ),
    FuzzSource(
        name="vaw",
        write=write_vaw,
        config=lambda f: VawBuildConfig(
            **paths(f, "photos", annotations="vaw.json", attribute_types="types.json"),
            out="set",
            max_dropped=1,
            types=["color", "material", "state"],
        ),
        build=build_vaw,
        documents=("vaw.json", "types.json"),
        items=lambda documents: len({str(e["image_id"]) for e in documents["vaw.json"]}),
        owner=image_id,
        owners=of_key("image_id"),
        drops=PHOTO
        | {NO_ANSWER, "object without an attribute to ask for", "object without a box"}
        | {"object that shares its name", "box without area or outside the image"}
        | {"object under min_side"},
        one_for_one=False,
        size_from_file=True,
        optional=frozenset({"instance_bbox", "instance_polygon"}),
    ),
    FuzzSource(
        name="refcoco",
        write=write_refer,
        config=lambda f: RefcocoBuildConfig(
            **paths(f, "photos", annotations="refcoco"), out="set", max_dropped=1
        ),
        build=build_refcoco,
        documents=("refcoco/instances.json", "refcoco/refs(unc).p"),
        items=images_with_sentences,
        owner=image_id,
        owners=of_refer,
        drops=PHOTO | {"image not in instances.json", "image without a usable sentence"},
        optional=MASKED | {"file_name"},
    ),
    FuzzSource(
        name="goldg",
        write=write_goldg,
        config=lambda f: GoldgBuildConfig(
            **paths(f, "photos", annotations="goldg.json"), out="set", max_dropped=1
        ),
        build=build_goldg,
        documents=("goldg.json",),
        items=images_of("goldg.json"),
        owner=image_id,
        owners=of_coco,
        drops=PHOTO | {"image without a usable phrase"},
        optional=frozenset(
            {"id", "original_id", "original_img_id", "data_source", "dataset_name"}
            | {"tokens_positive", "licenses"}
        ),
    ),
    FuzzSource(
        name="llava",
        write=write_llava,
        config=lambda f: LlavaBuildConfig(
            **paths(f, "photos", annotations="llava.json"), out="set", max_dropped=1
        ),
        build=build_llava,
        documents=("llava.json",),
        items=unique_talks,
        owner=lambda record: str(record.meta["id"]),
        owners=of_key("id"),
        drops=PHOTO
        | {"several images", "no image", "first question longer than max_question"}
        | {"speaker who is neither human nor gpt", "speakers do not alternate"}
        | {"<image> in an answer", "<image> without an image", "no question with an answer"}
        | {"half of a surrogate pair in the text", "<object> in the text"},
        size_from_file=True,
        optional=frozenset({"id", "image"}),
        single=True,
    ),
]
