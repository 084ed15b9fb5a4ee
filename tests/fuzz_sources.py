"""A small source for every builder, with a name for whatever each of its records is about."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import goldg_files
import llava_files
import numpy as np
import refer_files
from coco_files import CROWD, annotation, write_coco
from PIL import Image
from record_sets import HEIGHT, WIDTH, draw_image

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
from seal.data.masks import mask_to_rle
from seal.data.record_set import Record, RecordSet

LEFT, RIGHT, TOP = [2, 10, 12, 12], [40, 12, 12, 12], [20, 2, 14, 12]
PERSON, CUP, DOG, KITE, GLASS = 1, 2, 3, 4, 5
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


def write_scenes(folder: Path) -> None:
    """Masks in every form, a crowd, a class too small to see, two licenses."""
    block = np.zeros((HEIGHT, WIDTH), np.uint8)
    block[10:22, 40:52] = 1
    scene = [
        annotation(0, DOG, LEFT, id=1),
        annotation(0, KITE, RIGHT, id=2, segmentation=mask_to_rle(block)),
        annotation(0, CUP, [5, 30, 6, 6], id=3),
        annotation(1, PERSON, TOP, id=4),
        annotation(1, DOG, [22, 24, 14, 12], id=5),
        annotation(1, KITE, RIGHT, id=6, iscrowd=1, segmentation=CROWD),
        annotation(2, GLASS, [1.5, 2.25, 12, 30.5], id=7, area=100.5),
        annotation(2, PERSON, RIGHT, id=8),
        annotation(3, CUP, LEFT, id=9),
        annotation(3, PERSON, RIGHT, id=10),
        annotation(3, DOG, [18, 26, 15, 12], id=11),
    ]
    write_coco(folder, scene, 4)


def write_captions(folder: Path) -> None:
    write_scenes(folder)
    said = ["A kite above a dog.", "Zwei Hunde: \u00e9t\u00e9.", "A photo.", "A street."]
    entries = [{"image_id": i, "id": 7 + i, "caption": text} for i, text in enumerate(said)]
    document = {"info": {}, "annotations": entries}
    (folder / "captions.json").write_text(json.dumps(document, ensure_ascii=False), "utf-8")
    np.save(folder / "features.npy", np.array([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9]], np.float32))


def write_focus(folder: Path) -> None:
    write_scenes(folder)
    talks = [
        (0, "What does the dog do?", "The dog looks at a kite."),
        (1, "Who is there?", "A person walks the dog."),
        (2, "What do you see?", "A wine glass."),
        (3, "Is there a cup?", "Yes, a cup and a dog."),
    ]
    entries = [
        llava_files.entry(f"<image>\n{question}", answer, image=f"{i}.png", id=f"t{i}")
        for i, question, answer in talks
    ]
    (folder / "llava.json").write_text(json.dumps(entries))


def write_gqa(folder: Path) -> None:
    things = {
        "1": {"name": "Cup", "x": 10, "y": 8, "w": 14, "h": 14, "attributes": [], "relations": []},
        "2": {"name": "table", "x": 5, "y": 20, "w": 50, "h": 30},
    }
    graph = {"width": 60, "height": 40, "objects": things}
    entry = {
        "semantic": [{"operation": "select", "argument": "cup (1)", "dependencies": []}],
        "question": "What color is the cup on the table?",
        "answer": "red",
        "fullAnswer": "the cup is red",
        "annotations": {
            "question": {"7": "2", "4:5": "1"},
            "answer": {},
            "fullAnswer": {"1": "1"},
        },
        "isBalanced": True,
    }
    questions = {str(70 + i): entry | {"imageId": f"n{5 + i % 2}"} for i in range(4)}
    (folder / "q.json").write_text(json.dumps(questions))
    (folder / "g.json").write_text(json.dumps({"n5": graph, "n6": graph}))
    for name in ("n5", "n6"):
        draw_image(folder / "photos" / f"{name}.jpg")


def write_vaw(folder: Path) -> None:
    entries = [
        {
            "image_id": str(1 + i // 2),
            "instance_id": str(10 + i),
            "instance_bbox": [10.0 + i, 8.0, 14.0, 14.0],
            "instance_polygon": [[[10, 8], [24, 8], [24, 22], [10, 22]]] if i % 2 else None,
            "object_name": ["cup", "table", "dog", "red box"][i],
            "positive_attributes": ["red", "wooden"],
            "negative_attributes": ["blue", "open"],
        }
        for i in range(4)
    ]
    types = {
        "color": ["red", "blue", "green"],
        "material": ["wooden", "metal"],
        "state": ["open", "closed"],
        "other": ["bright"],
    }
    (folder / "vaw.json").write_text(json.dumps(entries))
    (folder / "types.json").write_text(json.dumps(types))
    draw_image(folder / "photos" / "VG_100K" / "1.jpg")
    draw_image(folder / "photos" / "VG_100K_2" / "2.jpg")


def write_refer(folder: Path) -> None:
    refs = [
        refer_files.ref(1, 7, "the lady in blue", "lady"),
        refer_files.ref(2, 8, "cup"),
        refer_files.ref(1, 9, "left man"),
        refer_files.ref(3, 10, "dog", split="val"),
        refer_files.ref(4, 11, "red hat", "hat"),
    ]
    instances = [refer_files.instance(image, ann) for image, ann in ((1, 7), (2, 8), (3, 10))]
    other = [[30, 20, 40, 20, 40, 30, 30, 30]]
    instances += [
        refer_files.instance(1, 9, [30, 20, 10, 10], segmentation=other),
        refer_files.instance(4, 11, segmentation=CROWD, iscrowd=1),
    ]
    refer_files.write_refer(folder / "refcoco", refs, instances)


def write_goldg(folder: Path) -> None:
    entry, spans = goldg_files.entry, goldg_files.spans
    images = [entry(1, "5.jpg"), entry(2, "6.jpg", "flickr"), entry(3, "7.png", "coco")]
    annotations = [
        goldg_files.annotation(10, 1, spans("man", "red hat")),
        goldg_files.annotation(11, 2, spans("two dogs"), [30, 20, 10.5, 10]),
        goldg_files.annotation(12, 1, spans("grass"), [0, 30, 60, 10]),
        goldg_files.annotation(13, 3, spans("a man"), [1, 1, 20, 30]),
    ]
    goldg_files.write_goldg(folder / "goldg.json", images, annotations)


def write_llava(folder: Path) -> None:
    names = [f"{33471 + i:012d}.jpg" for i in range(2)]
    entries = [
        llava_files.entry(image=names[0], id="a"),
        llava_files.entry("<image>\nWhat is it?", "Caf\u00e9.", image=names[1], id="b"),
        llava_files.entry("Who was he?", "A king.", image=..., id="c"),
    ]
    llava_files.write_llava(folder / "llava.json", entries, *names)


def write_stuff(folder: Path) -> None:
    things, stuff = {1: "person", 18: "dog"}, {124: "grass", 157: "sky-other", 171: "wall-brick"}
    pixels = np.full((HEIGHT, WIDTH), 156, np.uint8)
    pixels[20:], pixels[30:35, 0:5], pixels[:20, 50:], pixels[0, 0] = 123, 17, 170, 255
    (folder / "maps").mkdir()
    images = []
    for i in (1, 2, 3):
        images.append({"id": i, "file_name": f"{i:03d}.png", "width": WIDTH, "height": HEIGHT})
        draw_image(folder / "photos" / f"{i:03d}.png")
        Image.fromarray(pixels).save(folder / "maps" / f"{i:03d}.png")
    boxes = {
        "things": [annotation(i, 18, [0, 30, 5, 5 + i], id=i) for i in (1, 2, 3)],
        "stuff": [annotation(1, 124, [0, 20, 60, 20], id=9)],
    }
    for name, classes in (("things", things), ("stuff", stuff)):
        document = {
            "images": images,
            "annotations": boxes[name],
            "categories": [{"id": key, "name": text} for key, text in classes.items()],
        }
        (folder / f"{name}.json").write_text(json.dumps(document))
    lines = [f"{key}: {text}" for key, text in ({0: "unlabeled"} | things | stuff).items()]
    (folder / "labels.txt").write_text("\n".join(lines))


def write_objects365(folder: Path) -> None:
    boxes = [annotation(i % 3, 1 + i % 2, [10, 5 + i, 10, 10], id=i) for i in range(5)]
    for box in boxes:
        del box["segmentation"]
    path = write_coco(folder, boxes, 3)
    document = json.loads(path.read_text())
    for i, image in enumerate(document["images"]):
        image["file_name"] = f"images/v1/patch0/objects365_v1_{i}.jpg"
        draw_image(folder / "train" / "patch0" / f"objects365_v1_{i}.jpg")
    path.write_text(json.dumps(document))


def write_paco(folder: Path) -> None:
    names = ["trash_can", "car_(automobile)", "car_(automobile):headlight", "mug:handle"]
    images = [
        {
            "id": i,
            "coco_url": f"http://images.example/train2017/{i:012d}.png",
            "width": WIDTH,
            "height": HEIGHT,
            "neg_category_ids": [4],
            "not_exhaustive_category_ids": [3] if i == 8 else [],
        }
        for i in (7, 8)
    ]
    for i in (7, 8):
        draw_image(folder / "images" / f"{i:012d}.png")
    boxes = [annotation(7 + i % 2, 1 + i % 3, [10, 5 + i, 10, 10], id=i) for i in range(5)]
    document = {
        "images": images,
        "annotations": boxes,
        "categories": [
            {"id": i + 1, "name": name, "supercategory": "PART" if ":" in name else "OBJECT"}
            for i, name in enumerate(names)
        ],
    }
    (folder / "paco.json").write_text(json.dumps(document))


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
        | {"image not in the annotations", "no unambiguous object is named"},
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
