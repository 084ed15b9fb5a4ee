from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coco_files import CROWD, annotation, edit_coco, write_coco
from golden_files import SAMPLES, needs_samples
from hypothesis import given, settings
from hypothesis import strategies as st
from record_sets import draw_image

from seal.building.formats.image_lookup import CORRUPT
from seal.building.vqa_mixture.spatial import (
    RELATIONS,
    SpatialBuildConfig,
    build_spatial,
    clear_relation,
    relation_of,
    spatial_turn,
)
from seal.data.chat import expanded_turns
from seal.data.record_set import Record, RecordSet
from seal.geometry import Box

LEFT, RIGHT = [2, 10, 12, 12], [40, 12, 12, 12]
TOP, BOTTOM = [20, 2, 14, 12], [22, 24, 14, 12]


def config(folder: Path, **changes: Any) -> SpatialBuildConfig:
    values = {
        "annotations": str(folder / "coco.json"),
        "images": str(folder),
        "out": str(folder / "out"),
        "min_side": 5.0,
    }
    return SpatialBuildConfig(**(values | {"max_dropped": 1.0} | changes))


def build(folder: Path, annotations: list[dict[str, Any]], images: int = 3, **more: Any) -> Any:
    write_coco(folder, annotations, images)
    return build_spatial(config(folder, **more))


def pair(image: int, a: list[float] = LEFT, b: list[float] = RIGHT) -> list[dict[str, Any]]:
    """A dog and a kite."""
    return [annotation(image, 3, a, id=10 * image), annotation(image, 4, b, id=10 * image + 1)]


def test_both_objects_are_targets_and_the_answer_is_true(tmp_path: Path) -> None:
    records = build(tmp_path, [a for i in range(40) for a in pair(i)], 40)
    assert len(records) == 40
    for record in records:
        (question, answer), names = record.turns[0], [t.name for t in record.targets]
        assert question.startswith(
            "<image>\nAdditional visual information to focus on: <object>; <object>.\n"
        )
        side = "left" if names[0] == "dog" else "right"
        assert re.fullmatch(rf"The {names[0]} is .*\b{side}\b.* the {names[1]}\.", answer)
        assert {t.name: t.box.x0 for t in record.targets} == {"dog": 2, "kite": 40}
        assert record.meta["relation"] == side
    wrote_out = expanded_turns(records[0])[0][0]
    assert wrote_out.count(" <object> at location [") == 2


def test_left_and_right_are_equally_often_the_answer(tmp_path: Path) -> None:
    records = build(tmp_path, [a for i in range(200) for a in pair(i)], 200, max_questions=1)
    counts = records.description["counts"]
    assert counts["answers: left"] + counts["answers: right"] == 200
    assert 70 <= counts["answers: left"] <= 130  # 4 standard deviations
    assert len({record.turns[0][0] for record in records}) >= 12


def test_above_and_below_are_asked_for_what_stands_in_one_column(tmp_path: Path) -> None:
    aside = [[2, 2, 10, 10], [18, 26, 10, 12]]  # further down than aside, and not below
    records = build(tmp_path, [*pair(0, TOP, BOTTOM), *pair(1, *aside)])
    assert [record.meta["image_id"] for record in records] == [0]
    assert records[0].meta["relation"] == ("above" if records[0].targets[0].name == "dog" else
                                           "below")  # fmt: skip
    assert records.description["counts"]["no pair with a clear relation"] == 1


@pytest.mark.parametrize(
    "other",
    [
        [annotation(0, 3, [2, 28, 9, 9])],  # a second dog
        [annotation(0, 3, [2, 28, 9, 9], iscrowd=1, segmentation=CROWD)],
        [annotation(0, 3, [70, 5, 5, 5])],  # outside the image: where it is nobody knows
        [annotation(0, 3, [5, 5, 0, 0])],
    ],
)
def test_an_object_that_may_not_be_the_only_one_is_not_asked_for(
    tmp_path: Path, other: list[dict[str, Any]]
) -> None:
    records = build(tmp_path, [*pair(0), *other, *pair(1)])
    assert [record.meta["image_id"] for record in records] == [1]
    assert records.description["counts"]["fewer than two unambiguous objects"] == 2


def test_what_is_too_small_or_too_close_is_not_asked_for(tmp_path: Path) -> None:
    annotations = [*pair(0, [2, 10, 4, 12]), *pair(1, [10, 10, 20, 20], [25, 12, 20, 20]), *pair(2)]
    records = build(tmp_path, annotations)
    assert [record.meta["image_id"] for record in records] == [2]
    assert records.description["counts"]["fewer than two unambiguous objects"] == 1
    assert records.description["counts"]["no pair with a clear relation"] == 1


def test_an_image_is_asked_about_other_pairs_each_time(tmp_path: Path) -> None:
    things = [annotation(0, c, [1 + 12 * i, 10, 8, 20]) for i, c in enumerate((1, 3, 4, 5))]
    records = build(tmp_path, things, max_questions=9)
    pairs = [frozenset(t.name for t in record.targets) for record in records]
    assert len(pairs) == 6 == len(set(pairs))
    assert len({record.id for record in records}) == 6
    assert len(build(tmp_path, things, max_questions=4, out=str(tmp_path / "four"))) == 4


def test_what_cannot_be_used_is_counted(tmp_path: Path) -> None:
    write_coco(tmp_path, [a for i in range(4) for a in pair(i)], 5)
    (tmp_path / "sub" / "1.png").unlink()
    (tmp_path / "sub" / "2.png").write_bytes((tmp_path / "sub" / "2.png").read_bytes()[:300])
    draw_image(tmp_path / "sub" / "3.png", 10, 10)
    records = build_spatial(config(tmp_path, max_corrupt=0.5))
    counts = records.description["counts"]
    assert [record.meta["image_id"] for record in records] == [0]
    for reason in (
        "image file missing",
        CORRUPT,
        "image size differs from its annotation",
        "fewer than two unambiguous objects",
    ):
        assert counts[reason] == 1


def test_sizes_and_ids_may_be_text(tmp_path: Path) -> None:
    write_coco(tmp_path, [a | {"image_id": "0"} for a in pair(0)])
    edit_coco(tmp_path / "coco.json", "images", 0, height="40", width="60")
    assert build_spatial(config(tmp_path))[0].height == 40


def test_a_crowd_may_be_written_as_text(tmp_path: Path) -> None:
    things = [a | {"iscrowd": "0"} for a in pair(0)]
    assert len(build(tmp_path, things)) == 1
    with pytest.raises(ValueError, match="iscrowd must be 0 or 1, got 'no'"):
        build(tmp_path, [things[0] | {"iscrowd": "no"}, things[1]], out=str(tmp_path / "other"))


def test_an_image_outside_its_folder_is_missing(tmp_path: Path) -> None:
    write_coco(tmp_path, [*pair(0), *pair(1)])
    edit_coco(tmp_path / "coco.json", "images", 0, file_name="../other/a.png")
    draw_image(tmp_path / "other" / "a.png")
    (tmp_path / "in").mkdir()
    (tmp_path / "sub").rename(tmp_path / "in" / "sub")
    records = build_spatial(config(tmp_path, images=str(tmp_path / "in")))
    assert [record.meta["image_id"] for record in records] == [1]
    assert records.description["counts"]["image file missing"] == 1


def test_a_broken_annotation_names_file_and_byte(tmp_path: Path) -> None:
    write_coco(tmp_path, pair(0))
    edit_coco(tmp_path / "coco.json", "annotations", 0, bbox=["a", 1, 2, 3])
    with pytest.raises(ValueError, match=r"coco.json: image at byte \d+: .*'a'"):
        build_spatial(config(tmp_path))


def test_the_set_does_not_depend_on_the_workers(tmp_path: Path) -> None:
    annotations = [a for i in range(30) for a in pair(i)]
    lines = [
        [r.to_json() for r in build(tmp_path, annotations, 30, out=str(tmp_path / out), **more)]
        for out, more in (("a", {"workers": 0}), ("b", {"workers": 2}), ("c", {"seed": 1}))
    ]
    assert lines[0] == lines[1] != lines[2]


def test_plural_names_take_a_plural_verb() -> None:
    for axis, (relation, _) in RELATIONS.items():
        for seed in range(20):
            rng = np.random.default_rng(seed)
            question, answer = spatial_turn("skis", "scissors", axis, relation, rng)
            assert re.search(r"\bare the skis\b", question, re.IGNORECASE), question
            assert answer.startswith("The skis are ") and " it?" not in question
            assert all(word in question for word in RELATIONS[axis])


boxes = st.builds(
    Box.from_xywh,
    st.floats(0, 500),
    st.floats(0, 300),
    st.floats(1, 140),
    st.floats(1, 180),
)


@given(boxes, boxes, st.sampled_from(list(RELATIONS)))
@settings(max_examples=300, deadline=None)
def test_a_clear_relation_turns_around_with_the_pair(a: Box, b: Box, axis: str) -> None:
    rule = SpatialBuildConfig(annotations="a", images="i", out="o")
    clear = clear_relation(a, b, axis, 640, 480, rule)
    assert clear == clear_relation(b, a, axis, 640, 480, rule)
    if not clear:
        return
    assert {relation_of(a, b, axis), relation_of(b, a, axis)} == set(RELATIONS[axis])
    other = next(other for other in RELATIONS if other != axis)
    gaps = abs(a.x0 + a.x1 - b.x0 - b.x1), abs(a.y0 + a.y1 - b.y0 - b.y1)
    if gaps[0] != gaps[1]:
        assert not clear_relation(a, b, other, 640, 480, rule)


@pytest.mark.parametrize(
    "wrong", [{"max_questions": 0}, {"min_gap": 1.5}, {"max_overlap": -1}, {"dominance": -0.1}]
)
def test_a_wrong_config_names_the_field(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        config(tmp_path, **wrong)


@needs_samples
def test_real_annotations_become_questions(tmp_path: Path) -> None:
    source = SAMPLES / "coco_tiny"
    records: RecordSet = build_spatial(
        SpatialBuildConfig(
            annotations=str(source / "annotations" / "instances_train2017.json"),
            images=str(source / "train2017"),
            out=str(tmp_path),
        )
    )
    assert len(records) >= 20
    for record in records:
        check_answer(record)


def check_answer(record: Record) -> None:
    a, b = (target.box for target in record.targets)
    answer = record.turns[0][1]
    relations = [w for words in RELATIONS.values() for w in words if re.search(rf"\b{w}\b", answer)]
    centers = [((t.x0 + t.x1) / 2, (t.y0 + t.y1) / 2) for t in (a, b)]
    truth = {
        "left": centers[0][0] < centers[1][0],
        "right": centers[0][0] > centers[1][0],
        "above": centers[0][1] < centers[1][1],
        "below": centers[0][1] > centers[1][1],
    }
    assert len(relations) == 1 and truth[relations[0]]
