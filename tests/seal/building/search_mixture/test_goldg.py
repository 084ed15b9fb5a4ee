from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from golden_files import SAMPLES, needs_samples
from goldg_files import CAPTION, annotation, entry, spans, write_goldg
from record_sets import draw_image

from seal.building.formats.image_lookup import CORRUPT, MISSING, OTHER_SIZE
from seal.building.search_mixture.goldg import GoldgBuildConfig, build_goldg, phrase
from seal.data.record_set import RecordSet
from seal.geometry import Box

MAN = annotation(0, 1, spans("man", "red hat"))


def build(path: Path, **settings: Any) -> RecordSet:
    values = {
        "annotations": str(path),
        "images": str(path.parent / "photos"),
        "out": str(path.parent / "out"),
    }
    return build_goldg(GoldgBuildConfig(**(values | {"max_dropped": 1.0} | settings)))


def said(records: RecordSet) -> list[list[str]]:
    return [[e.text for e in record.expressions] for record in records]


def counts_of(records: RecordSet) -> dict[str, int]:
    standing = {"items read", "records written"}
    return {k: v for k, v in records.description["counts"].items() if k not in standing}


def test_an_annotation_is_an_expression_with_one_box(tmp_path: Path) -> None:
    images = [entry(1, "5.jpg"), entry(2, "6.jpg")]
    annotations = [
        annotation(8, 2, spans("grass"), [0, 30, 60, 10]),
        MAN,
        annotation(7, 1, spans("two dogs"), [30, 20, 10.5, 10]),
    ]
    records = build(write_goldg(tmp_path / "a.json", images, annotations))
    assert said(records) == [["man red hat", "two dogs"], ["grass"]]
    first = records[0]
    assert [e.boxes for e in first.expressions] == [
        (Box(10, 5, 20, 15),),
        (Box(30, 20, 40.5, 30),),
    ]
    assert all(e.mask is None for e in first.expressions)
    assert (first.id, first.source, first.image) == ("goldg_mixed-1", "goldg_mixed", "5.jpg")
    assert first.meta == {
        "image_id": "1",
        "photo_id": "2334951",
        "annotation_ids": ["0", "7"],
    }
    assert counts_of(records) == {}


def test_annotations_are_joined_by_id_within_their_own_file(tmp_path: Path) -> None:
    # Ids of the two files overlap, and the order of the annotations is not that of the images.
    mixed = write_goldg(
        tmp_path / "mixed.json",
        [entry(5, "5.jpg"), entry(0, "6.jpg")],
        [annotation(1, 0, spans("grass")), annotation(2, 5, spans("man"))],
    )
    flickr = write_goldg(
        tmp_path / "flickr.json",
        [entry(0, "7.jpg", "flickr"), entry(5, "8.jpg", "flickr")],
        [annotation(1, 0, spans("two dogs")), annotation(2, 5, spans("red hat"))],
    )
    assert said(build(mixed)) == [["man"], ["grass"]]
    records = build(flickr, out=str(tmp_path / "b"))
    assert said(records) == [["two dogs"], ["red hat"]]
    assert [record.id for record in records] == ["goldg_flickr-0", "goldg_flickr-5"]
    assert records[0].meta["photo_id"] == "4886839805"


@pytest.mark.parametrize(
    ("kind", "name", "lies"),
    [
        ("coco", "COCO_train2014_000000581857.jpg", "train2014/COCO_train2014_000000581857.jpg"),
        ("coco", "COCO_train2014_000000581857.jpg", "train2017/000000581857.jpg"),
        ("vg", "2334951.jpg", "VG_100K/2334951.jpg"),
        ("vg", "2334951.jpg", "VG_100K_2/2334951.jpg"),
        ("vg", "2334951.jpg", "GQA/images/2334951.jpg"),
        ("vg", "2334951.jpg", "2334951.jpg"),
        ("flickr", "4886839805.jpg", "flickr30k-images/4886839805.jpg"),
        ("flickr", "4886839805.jpg", "4886839805.jpg"),
    ],
)
def test_photos_are_found_by_their_source(tmp_path: Path, kind: str, name: str, lies: str) -> None:
    path = write_goldg(tmp_path / "a.json", [entry(1, name, kind)], [MAN])
    (tmp_path / "photos" / name).unlink()
    draw_image(tmp_path / "photos" / lies)
    assert build(path)[0].image == lies


def test_a_name_of_two_sources_is_looked_for_in_the_folder_of_each(tmp_path: Path) -> None:
    images = [entry(1, "5.jpg"), entry(2, "5.jpg", "flickr")]
    path = write_goldg(tmp_path / "a.json", images, [MAN, annotation(1, 2, spans("man"))])
    draw_image(tmp_path / "photos" / "VG_100K" / "5.jpg")
    draw_image(tmp_path / "photos" / "flickr30k-images" / "5.jpg")
    names = [record.image for record in build(path)]
    assert names == ["VG_100K/5.jpg", "flickr30k-images/5.jpg"]


def test_the_same_phrase_of_two_boxes_stays_two_expressions(tmp_path: Path) -> None:
    dogs = [annotation(i, 1, spans("two dogs"), [10 * i, 5, 8, 8]) for i in (1, 2)]
    again = annotation(3, 1, spans("two dogs"), [10, 5, 8, 8])
    records = build(write_goldg(tmp_path / "a.json", [entry(1, "5.jpg")], [MAN, *dogs, again]))
    assert said(records) == [["man red hat", "two dogs", "two dogs"]]
    assert [len(e.boxes or ()) for e in records[0].expressions] == [1, 1, 1]
    assert counts_of(records) == {
        "annotations that occur twice": 1,
        "expressions that share their phrase with another": 2,
    }


@pytest.mark.parametrize(
    ("caption", "positive", "text", "reason"),
    [
        (CAPTION, [[2, 5]], "man", None),
        (CAPTION, [[11, 14], [2, 5]], "man red", None),  # in reading order
        (CAPTION, [[0, 1], [1, 5]], "a man", None),
        (CAPTION, [[0, 19]], "a man in a red hat.", None),
        ("a  big\ncup", [[0, 10]], "a big cup", None),
        (CAPTION, [[3, 5]], "an", None),  # as annotated
        ("le caf\xe9 noir", [[3, 7]], "caf\xe9", None),
        ("le caf\xe9 noir", [[9, 13]], None, "spans outside their caption"),  # bytes of `noir`
        ("caf\xe9 au lait noir", [[6, 8]], None, "spans that cut words of a caption beyond ASCII"),
        (CAPTION, [], None, "phrases without words"),
        (CAPTION, [[18, 20]], None, "phrases without words"),
        (CAPTION, [[5, 5]], None, "spans outside their caption"),
        (CAPTION, [[2, 5], [-3, 4]], None, "spans outside their caption"),
        (CAPTION, [[2, 500]], None, "spans outside their caption"),
    ],
)
def test_spans_are_characters_of_the_caption(
    caption: str, positive: list[list[int]], text: str | None, reason: str | None
) -> None:
    counts: Counter[str] = Counter()
    assert phrase(caption, positive, counts) == text
    assert counts == ({} if reason is None else {reason: 1})


def test_a_caption_beyond_ascii_is_read_by_characters(tmp_path: Path) -> None:
    caption = "\u65e5\u672c caf\xe9 \U0001f600 dog"
    image = entry(1, "5.jpg", caption=caption)
    positive = spans("dog", caption=caption)
    path = write_goldg(tmp_path / "a.json", [image], [annotation(0, 1, positive)])
    assert said(build(path)) == [["dog"]]


def test_what_cannot_be_used_is_counted(tmp_path: Path) -> None:
    images = [entry(i, f"{i}.jpg") for i in range(1, 7)]
    annotations = [annotation(i, i, spans("man")) for i in range(1, 5)]
    annotations += [
        annotation(50, 5, spans("man"), [70, 5, 5, 5]),
        annotation(51, 5, []),
        annotation(52, 1, [[0, 99]]),
        annotation(53, 77, spans("man")),
    ]
    path = write_goldg(tmp_path / "a.json", images, annotations)
    photos = tmp_path / "photos"
    (photos / "2.jpg").unlink()
    (photos / "3.jpg").write_bytes((photos / "3.jpg").read_bytes()[:300])
    draw_image(photos / "4.jpg", 10, 10)
    records = build(path, max_corrupt=0.5)
    assert said(records) == [["man"]]
    assert records.description["counts"] == {
        "items read": 6,
        "annotations of unlisted images": 1,
        "spans outside their caption": 1,
        MISSING: 1,
        CORRUPT: 1,
        OTHER_SIZE: 1,
        "boxes without area": 1,
        "phrases without words": 1,
        "image without a usable phrase": 2,
        "records written": 1,
    }


def test_the_set_does_not_depend_on_the_workers(tmp_path: Path) -> None:
    images = [entry(i, f"{i}.jpg") for i in range(5)]
    annotations = [annotation(i, i % 5, spans("man", "dogs"), [i, 5, 9, 9]) for i in range(15)]
    path = write_goldg(tmp_path / "a.json", images, annotations)
    alone, shared = build(path), build(path, workers=2, out=str(tmp_path / "b"))
    assert [r.to_json() for r in alone] == [r.to_json() for r in shared]
    assert len(build(path, limit=2, source="mine", out=str(tmp_path / "c"))) == 2


@pytest.mark.parametrize(
    ("image", "positive", "message"),
    [
        ({"caption": ...}, spans("man"), r"image at byte \d+: no key 'caption'"),
        ({"caption": None}, spans("man"), r"image at byte \d+: a caption must be text, got None"),
        ({"width": "wide"}, spans("man"), r"image at byte \d+: .*finite number, got 'wide'"),
        ({"file_name": ...}, spans("man"), r"image at byte \d+: no key 'file_name'"),
        ({"data_source": "sbu"}, spans("man"), "data_source 'sbu' is none of coco, vg, flickr"),
        ({"id": ...}, spans("man"), r"byte \d+: an entry of images has no key 'id'"),
        ({}, [[1]], r"image at byte \d+"),
        ({}, 5, r"image at byte \d+"),
        ({}, [["a", "b"]], r"image at byte \d+"),
    ],
)
def test_a_broken_entry_names_file_and_byte(
    tmp_path: Path, image: dict[str, Any], positive: Any, message: str
) -> None:
    path = write_goldg(tmp_path / "a.json", [entry(1, "5.jpg")], [annotation(0, 1, positive)])
    document = json.loads(path.read_text())
    values = document["images"][0] | image
    document["images"][0] = {k: v for k, v in values.items() if v is not ...}
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match=r"a\.json: .*" + message):
        build(path)


def test_a_file_of_another_form_is_refused(tmp_path: Path) -> None:
    path = write_goldg(tmp_path / "a.json", [entry(1, "5.jpg")], [])
    with pytest.raises(ValueError, match=r"a\.json has no annotations"):
        build(path)
    write_goldg(path, [entry(1, "5.jpg"), entry("1", "5.jpg")], [MAN])
    with pytest.raises(ValueError, match="image id 1 occurs twice"):
        build(path)
    path.write_text(path.read_text()[:-30])
    with pytest.raises(ValueError, match=r"a\.json: byte \d+: .*complete"):
        build(path)
    with pytest.raises(ValueError, match=r"nowhere is not a folder"):
        build(path, images=str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match=r"annotations=.*b\.json is not a file"):
        build(tmp_path / "b.json")


@needs_samples
def test_real_entries_of_the_mixed_file_become_records(tmp_path: Path) -> None:
    path = SAMPLES / "goldg" / "final_mixed_train_2images.json"
    draw_image(tmp_path / "train2014" / "COCO_train2014_000000581857.jpg", 427, 640)
    draw_image(tmp_path / "VG_100K" / "2334951.jpg", 375, 500)
    records = build(path, images=str(tmp_path), out=str(tmp_path / "out"))
    assert said(records) == [["couple"], ["one man"]]
    assert [record.id for record in records] == ["goldg_mixed-0", "goldg_mixed-1107630"]
    assert records[1].expressions[0].boxes == (Box(33, 13, 247, 498),)


@needs_samples
def test_a_real_entry_of_the_flickr_file_becomes_a_record(tmp_path: Path) -> None:
    image = json.loads((SAMPLES / "goldg" / "flickr_separateGT_image_1record.json").read_text())
    noted = [annotation(i, 27, s) for i, s in enumerate(image["tokens_positive_eval"])]
    path = write_goldg(tmp_path / "a.json", [image], noted)
    draw_image(tmp_path / "photos" / image["file_name"], 371, 500)
    records = build(path)
    assert said(records) == [["2 wet boys", "blue swimming suits"]]
    assert (records[0].id, records[0].width) == ("goldg_flickr-27", 371)
