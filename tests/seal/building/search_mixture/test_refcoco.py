from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coco_files import CROWD, SQUARE
from golden_files import SAMPLES, needs_samples
from record_sets import HEIGHT, WIDTH, draw_image
from refer_files import coco_name, instance, ref, write_refer

from seal.building.formats.image_lookup import CORRUPT, MISSING, OTHER_SIZE
from seal.building.search_mixture.refcoco import RefcocoBuildConfig, build_refcoco
from seal.building.search_mixture.refer_sentences import photo_name
from seal.data.masks import mask_to_rle, rle_to_mask
from seal.data.record_set import Expression, RecordSet
from seal.geometry import Box

OTHER = [[30, 20, 40, 20, 40, 30, 30, 30]]


def build(folder: Path, **settings: Any) -> RecordSet:
    values = {
        "annotations": str(folder),
        "images": str(folder.parent / "photos"),
        "out": str(folder.parent / "out"),
    }
    return build_refcoco(RefcocoBuildConfig(**(values | {"max_dropped": 1.0} | settings)))


def pixels(expression: Expression) -> np.ndarray[Any, Any]:
    assert expression.mask is not None
    return rle_to_mask(expression.mask)


def counts_of(records: RecordSet) -> dict[str, int]:
    standing = {"items read", "records written"}
    return {k: v for k, v in records.description["counts"].items() if k not in standing}


def test_an_image_is_a_record_and_each_sentence_an_expression(tmp_path: Path) -> None:
    refs = [
        ref(1, 7, "the lady  in blue ", "lady"),
        ref(2, 8, "cup"),
        ref(1, 9, "left man"),
        ref(3, 10, "dog", split="val"),
    ]
    instances = [
        instance(2, 8),
        instance(1, 9, [30, 20, 10, 10], segmentation=OTHER),
        instance(1, 7),
        instance(1, 77),
        instance(3, 10),
    ]
    records = build(write_refer(tmp_path / "refcoco", refs, instances))
    assert [record.id for record in records] == ["refcoco-1", "refcoco-2"]
    first = records[0]
    assert [e.text for e in first.expressions] == ["the lady in blue", "lady", "left man"]
    assert [e.boxes for e in first.expressions] == [
        (Box(10, 5, 20, 15),),
        (Box(10, 5, 20, 15),),
        (Box(30, 20, 40, 30),),
    ]
    assert pixels(first.expressions[0])[5:15, 10:20].all()
    assert pixels(first.expressions[2])[20:30, 30:40].all()
    assert [int(pixels(e).sum()) for e in first.expressions] == [100, 100, 100]
    assert first.image == coco_name(1) and first.source == "refcoco"
    assert (first.license, records[1].license) == ("unknown", "CC BY")
    assert first.meta == {
        "image_id": "1",
        "split": "unc train",
        "ref_ids": [107, 107, 109],
        "sent_ids": [70, 71, 90],
    }
    assert counts_of(records) == {}


def test_only_the_refs_of_the_split_are_read(tmp_path: Path) -> None:
    # Google's split is by object: an image may be in two splits, a sentence is not.
    refs = [ref(1, 7, "cup", split="train"), ref(1, 8, "mug", split="val")]
    folder = write_refer(tmp_path / "refcocog", refs, [instance(1, 7), instance(1, 8)], "umd")
    for split, text in (("train", "cup"), ("val", "mug")):
        records = build(folder, split=split, out=str(tmp_path / split))
        assert [e.text for record in records for e in record.expressions] == [text]
    with pytest.raises(ValueError, match=r"no split='testA'; it has \{'train': 1, 'val': 1\}"):
        build(folder, split="testA")


def test_the_dataset_follows_from_the_folder_and_decides_the_split(tmp_path: Path) -> None:
    names = {"annotations": "data/refcoco+", "images": "i", "out": "o"}
    plus = RefcocoBuildConfig(**names)
    assert (plus.dataset, plus.split_by, plus.source) == ("refcoco+", "unc", "refcocoplus")
    assert RefcocoBuildConfig(**names, dataset="refcocoplus").dataset == "refcoco+"
    other = RefcocoBuildConfig(**names, dataset="refcocog")
    assert (other.split_by, other.ambiguous) == ("umd", "drop")
    assert RefcocoBuildConfig(**names, split="testA").ambiguous == "keep"
    for wrong in ({"dataset": "refgta"}, {"ambiguous": "merge"}, {"limit": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            RefcocoBuildConfig(**(names | wrong))
    with pytest.raises(ValueError, match="dataset='mine' is none of refclef"):
        RefcocoBuildConfig(annotations="data/mine", images="i", out="o")


def test_a_sentence_said_of_two_objects_is_dropped_from_training_alone(tmp_path: Path) -> None:
    for split in ("train", "testA"):
        refs = [ref(1, 7, "man", "left man", split=split), ref(1, 8, "Man", split=split)]
        folder = write_refer(tmp_path / split / "refcoco", refs, [instance(1, 7), instance(1, 8)])
        records = build(folder, split=split)
        said = [e.text for e in records[0].expressions]
        if split == "train":
            assert said == ["left man"]
            assert counts_of(records) == {"sentences said of several objects, dropped": 2}
        else:
            assert said == ["man", "left man", "Man"]
            assert counts_of(records) == {"sentences said of several objects, kept": 2}
    kept = build(tmp_path / "train" / "refcoco", ambiguous="keep", out=str(tmp_path / "kept"))
    assert len(kept[0].expressions) == 3


def test_a_sentence_said_again_of_the_same_object_stands_once(tmp_path: Path) -> None:
    refs = [ref(1, 7, "man", "", " ", "MAN"), ref(1, 7, "man", ref_id=5)]
    records = build(write_refer(tmp_path / "refcoco", refs, [instance(1, 7)]))
    assert [e.text for e in records[0].expressions] == ["man"]
    assert records[0].meta["ref_ids"] == [107]
    assert counts_of(records) == {
        "empty sentences": 2,
        "sentences said again of the same object": 2,
    }


MASK = np.zeros((HEIGHT, WIDTH), np.uint8)
MASK[3:9, 4:8] = 1
HOLE = np.zeros_like(MASK)
HOLE[20:22, 4:8] = 1


@pytest.mark.parametrize(
    ("segmentation", "area"),
    [
        (SQUARE, 100),
        (SQUARE + OTHER, 200),
        (CROWD, 30),  # uncompressed RLE
        (mask_to_rle(MASK), 24),
        ([mask_to_rle(MASK)], 24),  # RefCLEF
        ([mask_to_rle(MASK), mask_to_rle(HOLE)], 32),
    ],
)
def test_every_form_of_a_mask_is_read(tmp_path: Path, segmentation: Any, area: int) -> None:
    entry = instance(1, 7, segmentation=segmentation, iscrowd=int(segmentation is CROWD))
    records = build(write_refer(tmp_path / "refcoco", [ref(1, 7, "cup")], [entry]))
    expression = records[0].expressions[0]
    assert pixels(expression).sum() == area
    assert expression.boxes == (Box(10, 5, 20, 15),)  # of a crowd as well


@pytest.mark.parametrize(
    ("segmentation", "reason"),
    [
        (None, "objects without a segmentation"),
        ([], "objects without a segmentation"),
        ([[1, 2, 3, 4]], "broken segmentations"),
        ({"size": [1, 1], "counts": [1]}, "broken segmentations"),
        ([{"size": [HEIGHT, WIDTH]}], "broken segmentations"),
        ([SQUARE[0], CROWD], "broken segmentations"),
    ],
)
def test_an_object_without_a_mask_keeps_its_box(
    tmp_path: Path, segmentation: Any, reason: str
) -> None:
    entry = instance(1, 7, segmentation=segmentation)
    records = build(write_refer(tmp_path / "refcoco", [ref(1, 7, "cup")], [entry]))
    expression = records[0].expressions[0]
    assert expression.mask is None and expression.boxes == (Box(10, 5, 20, 15),)
    assert counts_of(records) == {reason: 1}


def test_photos_are_found_in_the_layout_of_2017(tmp_path: Path) -> None:
    folder = write_refer(tmp_path / "refcoco", [ref(581857, 7, "cup")], [instance(581857, 7)])
    (tmp_path / "photos" / coco_name(581857)).unlink()
    draw_image(tmp_path / "photos" / "train2017" / "000000581857.jpg")
    assert build(folder)[0].image == "train2017/000000581857.jpg"


def test_the_photo_is_named_by_the_ref_where_the_instances_do_not(tmp_path: Path) -> None:
    folder = write_refer(tmp_path / "refcoco", [ref(5, 7, "cup")], [instance(5, 7)])
    document = json.loads((folder / "instances.json").read_text())
    del document["images"][0]["file_name"]
    (folder / "instances.json").write_text(json.dumps(document))
    assert build(folder)[0].image == coco_name(5)
    assert photo_name("COCO_train2014_000000581857_16.jpg") == coco_name(581857)
    assert photo_name(coco_name(581857)) == coco_name(581857)
    assert photo_name("8756_2.jpg") == "8756.jpg" and photo_name("8756.jpg") == "8756.jpg"


@pytest.mark.parametrize(
    "lies",
    ["19579.jpg", "saiapr_tc-12/19579.jpg", "19/images/19579.jpg", "images/saiapr_tc-12/19579.jpg"],
)
def test_photos_of_refclef_are_found(tmp_path: Path, lies: str) -> None:
    refs = [ref(19579, "19579_2", "sky", file_name="19579_2.jpg")]
    entries = [instance(19579, "19579_2", segmentation=[mask_to_rle(MASK)])]
    folder = write_refer(tmp_path / "refclef", refs, entries, images={19579: "19579.jpg"})
    (tmp_path / "photos" / "19579.jpg").unlink()
    draw_image(tmp_path / "photos" / lies)
    record = build(folder)[0]
    assert record.image == lies and record.id == "refclef-19579"


def test_what_another_dataset_holds_out_can_be_excluded(tmp_path: Path) -> None:
    refs = [ref(i, i, "cup") for i in range(1, 4)]
    folder = write_refer(tmp_path / "refcocog", refs, [instance(i, i) for i in range(1, 4)], "umd")
    held = [ref(1, 1, "cup"), ref(2, 2, "mug", split="testA")]
    other = write_refer(tmp_path / "refcoco+", held, [instance(i, i) for i in (1, 2)])
    records = build(folder, exclude=[str(other)])
    assert [record.id for record in records] == ["refcocog-1", "refcocog-3"]
    assert counts_of(records) == {"refs of images held out elsewhere": 1}


def test_what_cannot_be_used_is_counted(tmp_path: Path) -> None:
    refs = [ref(i, i, "cup") for i in range(1, 9)]
    refs += [ref(1, 90, "lost"), ref(1, 2, "mine"), ref(1, 91, "thin")]
    instances = [instance(i, i) for i in range(1, 8)] + [instance(1, 91, [5, 5, 0, 9])]
    instances[3] = instance(4, 4, [90, 5, 5, 5])  # outside
    folder = write_refer(tmp_path / "refcoco", refs, instances)
    photos = tmp_path / "photos"
    (photos / coco_name(5)).unlink()
    (photos / coco_name(6)).write_bytes((photos / coco_name(6)).read_bytes()[:300])
    draw_image(photos / coco_name(7), 10, 10)
    records = build(folder, max_corrupt=0.5)
    assert [record.id for record in records] == ["refcoco-1", "refcoco-2", "refcoco-3"]
    assert [e.text for e in records[0].expressions] == ["cup"]
    assert records.description["counts"] == {
        "items read": 8,
        "objects not in instances.json": 1,
        "objects of another image": 1,
        "boxes without area": 2,
        "sentences without a usable object": 4,
        "image without a usable sentence": 1,
        MISSING: 1,
        CORRUPT: 1,
        OTHER_SIZE: 1,
        "image not in instances.json": 1,
        "records written": 3,
    }


def test_boxes_are_cut_at_the_border(tmp_path: Path) -> None:
    entry = instance(1, 7, [50.5, -3, 20, 10])
    records = build(write_refer(tmp_path / "refcoco", [ref(1, 7, "cup")], [entry]))
    assert records[0].expressions[0].boxes == (Box(50.5, 0, 60, 7),)


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_the_set_depends_on_neither_protocol_nor_workers(tmp_path: Path, protocol: int) -> None:
    refs = [ref(i, i, f"cup {i}", "caf\xe9") for i in range(1, 6)]
    instances = [instance(i, i) for i in range(1, 6)]
    folder = write_refer(tmp_path / "refcoco", refs, instances, protocol=protocol)
    alone = build(folder)
    shared = build(folder, workers=2, out=str(tmp_path / "shared"))
    assert [r.to_json() for r in alone] == [r.to_json() for r in shared]
    assert [e.text for e in alone[0].expressions] == ["cup 1", "caf\xe9"]


class _Harm:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (self.command,)


def test_refs_that_carry_code_are_refused(tmp_path: Path) -> None:
    folder = write_refer(tmp_path / "refcoco", [ref(1, 7, "cup")], [instance(1, 7)])
    proof = tmp_path / "proof"
    (folder / "refs(unc).p").write_bytes(pickle.dumps([_Harm(f"touch {proof}")]))
    with pytest.raises(ValueError, match=r"refs\(unc\)\.p: .*system, but only plain"):
        build(folder)
    assert not proof.exists()


def _drop(key: str) -> list[dict[str, Any]]:
    entry = ref(1, 7, "cup")
    del entry[key]
    return [ref(1, 8, "mug"), entry]


@pytest.mark.parametrize(
    ("refs", "message"),
    [
        ({"refs": []}, r"refs\(unc\)\.p must hold a list of refs, got dict"),
        ([5], r"refs\(unc\)\.p: ref 0 is no dict"),
        (_drop("ann_id"), r"refs\(unc\)\.p: ref 1 has no \['ann_id'\]"),
        ([ref(1, 7, sentences=[{"raw": "CUP"}])], r"ref_id 107: a broken sentence: KeyError"),
        ([ref(1, 7, sentences=[{"sent": None}])], r"ref_id 107: a broken sentence"),
    ],
)
def test_broken_refs_name_file_and_place(tmp_path: Path, refs: Any, message: str) -> None:
    folder = write_refer(tmp_path / "refcoco", refs, [instance(1, 7)])
    with pytest.raises(ValueError, match=message):
        build(folder)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"bbox": [1, 2]}, r"instances\.json: image 1: "),
        ({"bbox": ["a", 1, 2, 3]}, r"instances\.json: image 1: "),
        ({"image_id": ...}, r"instances\.json: image 1: no key 'image_id'"),
        ({"id": ...}, r"instances\.json: byte \d+: a broken entry of annotations: KeyError"),
    ],
)
def test_broken_instances_name_file_and_place(
    tmp_path: Path, entry: dict[str, Any], message: str
) -> None:
    whole = {k: v for k, v in (instance(1, 7) | entry).items() if v is not ...}
    folder = write_refer(
        tmp_path / "refcoco", [ref(1, 7, "cup")], [whole], images={1: coco_name(1)}
    )
    with pytest.raises(ValueError, match=message):
        build(folder)


def test_a_wrong_folder_is_an_error(tmp_path: Path) -> None:
    folder = write_refer(tmp_path / "refcoco", [ref(1, 7, "cup")], [instance(1, 7)])
    with pytest.raises(ValueError, match=r"nowhere is not a folder"):
        build(folder, images=str(tmp_path / "nowhere"))
    with pytest.raises(
        ValueError, match=r"refs\(google\)\.p is not a file; there are \['refs\(unc"
    ):
        build(folder, split_by="google")
    (folder / "instances.json").unlink()
    with pytest.raises(ValueError, match=r"instances\.json is not a file"):
        build(folder)


@needs_samples
def test_a_real_ref_becomes_a_record(tmp_path: Path) -> None:
    refs = json.loads((SAMPLES / "refcoco" / "refs_unc_1record.json").read_text())
    photos = {581857: coco_name(581857)}
    entries = [instance(581857, refs[0]["ann_id"])]
    record = build(write_refer(tmp_path / "refcoco", refs, entries, images=photos, protocol=2))[0]
    assert [e.text for e in record.expressions] == [
        "the lady with the blue shirt",
        "lady with back to us",
        "blue shirt",
    ]
    assert record.image == coco_name(581857) and record.meta["sent_ids"] == [0, 1, 2]
