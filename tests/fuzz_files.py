"""The files of a small source for every builder, as their authors would have written them."""

from __future__ import annotations

import json
from pathlib import Path

import goldg_files
import llava_files
import numpy as np
import refer_files
from coco_files import CROWD, annotation, write_coco
from PIL import Image
from record_sets import HEIGHT, WIDTH, draw_image

from seal.data.masks import mask_to_rle

LEFT, RIGHT, TOP = [2, 10, 12, 12], [40, 12, 12, 12], [20, 2, 14, 12]
PERSON, CUP, DOG, KITE, GLASS = 1, 2, 3, 4, 5


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
