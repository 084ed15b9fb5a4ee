from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coco_files import annotation, edit_coco
from coco_files import write_coco as write_some
from golden_files import SAMPLES, needs_samples

from seal.building.coco.images import read_coco_image
from seal.building.coco.index import CocoIndex
from seal.building.language.class_names import mentions
from seal.building.language.unwritten_records import Draft
from seal.building.vqa_mixture.negative import (
    NegativeBuildConfig,
    NegativeMaker,
    build_negative,
    finish_negative,
)
from seal.building.vqa_mixture.negative_questions import (
    checked_question,
    negative_prompt,
    negative_template,
)
from seal.data.record_set import Record, RecordSet
from seal.text.prompts import parse_missing, refusal

PERSON, CUP, DOG, KITE, GLASS = 1, 2, 3, 4, 5
CATEGORIES = {1: "person", 2: "cup", 3: "dog", 4: "kite", 5: "wine glass"}


def write_coco(folder: Path, annotations: list[dict[str, Any]], num_images: int = 3) -> Path:
    """A source that knows all its classes: an image that is not listed shows one of each."""
    elsewhere = [annotation(99, category, [0, 0, 30, 30]) for category in CATEGORIES]
    return write_some(folder, [*annotations, *elsewhere], num_images)


def config(path: Path, out: str = "out", **values: Any) -> NegativeBuildConfig:
    folder = path.parent
    return NegativeBuildConfig(
        annotations=str(path),
        images=str(folder),
        out=str(folder / out),
        **({"max_dropped": 1.0} | values),
    )


def classes(path: Path, row: int = 0, **values: Any) -> tuple[list[str], ...]:
    index = CocoIndex(path)
    maker = NegativeMaker(config(path, **values), index)
    found = maker.classes(read_coco_image(index, row, "unknown", Counter()))
    return tuple([index.categories[c] for c in group] for group in found)


def drafts(path: Path, **values: Any) -> list[Draft]:
    index = CocoIndex(path)
    maker = NegativeMaker(config(path, **values), index)
    return [draft for row in range(len(index)) for draft in maker(row).drafts]


def parts(record: Record) -> tuple[str, str]:
    ((question, answer),) = record.turns
    return question, answer


def test_a_class_is_small_only_if_every_box_is_under_the_limit_on_both_sides(
    tmp_path: Path,
) -> None:
    path = write_coco(
        tmp_path,
        [
            annotation(0, PERSON, [0, 0, 19.9, 19.9]),
            annotation(0, PERSON, [5, 5, 3, 3]),
            annotation(0, CUP, [0, 0, 4, 4]),
            annotation(0, CUP, [0, 0, 4, 20]),
            annotation(0, DOG, [0, 0, 30, 2], iscrowd=1),
        ],
    )
    assert classes(path) == (["kite", "wine glass"], ["person"], ["cup", "dog"])
    assert classes(path, max_side=3.5)[1:] == ([], ["person", "cup", "dog"])


def test_a_box_without_area_leaves_its_class_out_of_every_question(tmp_path: Path) -> None:
    path = write_coco(tmp_path, [annotation(0, DOG, [3, 3, 0, 0])])
    absent, small, shown = classes(path)
    assert "dog" not in absent + small + shown


def test_a_name_that_is_part_of_a_visible_one_is_not_asked_for(tmp_path: Path) -> None:
    path = write_coco(tmp_path, [annotation(0, GLASS, [0, 0, 30, 30])])
    edit_coco(path, "categories", 0, name="glass")
    assert classes(path)[0] == ["cup", "dog", "kite"]


def test_what_a_caption_names_is_not_taken_for_absent(tmp_path: Path) -> None:
    path = write_coco(tmp_path, [annotation(0, CUP, [0, 0, 30, 30])], num_images=1)
    captions = tmp_path / "captions.json"
    entries = [{"image_id": 0, "caption": text} for text in ("Two men", "They walk their Dogs.")]
    captions.write_text(json.dumps({"annotations": entries}))
    records = build_negative(config(path, captions=str(captions), per_image=9, two_share=0))
    answers = {parts(record)[1] for record in records}
    assert answers == {refusal(["kite"]), refusal(["wine glass"])}
    assert records.description["settings"]["captions"]["name"] == "captions.json"
    with pytest.raises(ValueError, match=r"captions=gone\.json is not a file"):
        build_negative(config(path, "other", captions="gone.json"))


def test_every_record_needs_what_cannot_be_seen_and_refuses_all_of_it(tmp_path: Path) -> None:
    path = write_coco(
        tmp_path,
        [annotation(i, 1 + i % 3, [0, 0, 5 + i, 30 if i % 2 else 5]) for i in range(12)],
        num_images=12,
    )
    records = build_negative(config(path, per_image=3, two_share=0.5, absent_share=0.4))
    assert len(records) == 36
    kinds = set()
    for record in records:
        question, answer = parts(record)
        absent, small, _ = classes(path, record.meta["image_id"])
        needed = [*record.meta["absent"], *record.meta["small"]]
        kinds.add((len(record.meta["absent"]), len(record.meta["small"])))
        assert set(record.meta["absent"]) <= set(absent)
        assert set(record.meta["small"]) <= set(small)
        assert question.startswith("<image>\n") and question.endswith("?")
        assert sorted(mentions(question, CATEGORIES.values())) == sorted(needed)
        places = mentions(question, needed)
        assert answer == refusal(sorted(needed, key=places.__getitem__))
        assert sorted(parse_missing(answer) or []) == sorted(needed)
        assert record.targets == () and record.expressions == ()
    assert kinds == {(1, 0), (0, 1), (2, 0), (1, 1)}


def test_records_of_one_image_need_different_objects(tmp_path: Path) -> None:
    path = write_coco(tmp_path, [annotation(0, PERSON, [0, 0, 30, 30])], num_images=1)
    records = build_negative(config(path, per_image=99, two_share=0))
    assert len(records) == 4
    assert len({parts(record)[1] for record in records}) == 4
    assert records.description["counts"]["image without another set of objects to ask for"] == 1


def test_the_shares_are_those_of_the_config(tmp_path: Path) -> None:
    path = write_coco(tmp_path, [annotation(0, CUP, [0, 0, 5, 5])], num_images=1)
    index = CocoIndex(path)
    small = pairs = 0
    for seed in range(400):
        maker = NegativeMaker(config(path, seed=seed, absent_share=0.8, two_share=0.25), index)
        (draft,) = maker(0).drafts
        pair = len(draft.fields["needed"]) == 2
        pairs += pair
        small += not pair and bool(draft.fields["record"]["meta"]["small"])
    assert abs(pairs / 400 - 0.25) < 0.07
    assert abs(small / (400 - pairs) - 0.2) < 0.07


@pytest.mark.parametrize("workers", [2, 3])
def test_the_set_does_not_depend_on_workers(tmp_path: Path, workers: int) -> None:
    path = write_coco(tmp_path, [annotation(i, DOG, [0, 0, 9, 9]) for i in range(40)], 40)
    alone = build_negative(config(path, "alone"))
    together = build_negative(config(path, "together", workers=workers))
    assert [r.to_json() for r in alone] == [r.to_json() for r in together]
    assert (alone.folder / "set.json").read_text() == (together.folder / "set.json").read_text()


def test_missing_and_broken_images_are_counted(tmp_path: Path) -> None:
    path = write_coco(tmp_path, [annotation(0, PERSON, [0, 0, 30, 30])])
    (tmp_path / "sub/0.png").unlink()
    (tmp_path / "sub/1.png").write_bytes(b"no image")
    counts = build_negative(config(path, max_corrupt=0.5)).description["counts"]
    assert counts["image file missing"] == 1 and counts["image does not decode"] == 1


def test_a_broken_annotation_is_named_by_file_and_byte(tmp_path: Path) -> None:
    path = write_coco(tmp_path, [annotation(0, DOG, [0, 0, 9])])
    with pytest.raises(ValueError, match=r"coco.json: image at byte \d+: bbox"):
        build_negative(config(path))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "needed", [["skis"], ["bus"], ["dog"], ["person"], ["pizza"], ["scissors", "cup"]]
)
def test_every_template_passes_the_check_of_an_answer(needed: list[str], seed: int) -> None:
    rng = np.random.default_rng(seed)
    questions = {negative_template({"needed": needed}, rng) for _ in range(200)}
    assert len(questions) >= 6
    for question in questions:
        assert sorted(checked_question(question, needed, ["cat"])[1]) == sorted(needed)
        assert not re.search("is the (skis|scissors)", question, re.IGNORECASE)


def test_objects_stand_in_the_order_of_the_question() -> None:
    said = ' "Is the dog bigger than the cup?" '
    question, needed = checked_question(said, ["cup", "dog"], [])
    assert question == "Is the dog bigger than the cup?" and needed == ["dog", "cup"]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("Sure! Here it is:\nWhat color is the dog?", "one line"),
        ("What color is the dog", "one question"),
        ("Who? What color is the dog?", "one question"),
        ("What color is the animal?", "does not name dog"),
        ("Is there a dog behind the fence?", "whether something is there: 'Is there'"),
        ("How many dogs lie there?", "How many"),
        ("What color is the dog next to the kite?", "does not show: kite"),
        ("Is the <dog> black?", "<"),
        ("What color is the dog" + " of mine" * 20 + "?", "40 words"),
    ],
)
def test_an_answer_of_no_use_is_refused_with_the_reason(answer: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        checked_question(answer, ["dog"], ["kite"])


def test_a_question_may_name_what_the_image_shows(tmp_path: Path) -> None:
    path = write_coco(tmp_path, [annotation(0, PERSON, [0, 0, 30, 30])], num_images=1)
    (draft,) = drafts(path, two_share=0, absent_share=1)
    (needed,) = draft.fields["needed"]
    record = finish_negative(draft, f"What color is the {needed} of the person?")
    assert parts(record)[1] == refusal([needed])


def test_the_prompt_says_what_is_seen_what_is_not_and_what_to_ask_about() -> None:
    rng = np.random.default_rng(0)
    texts = {negative_prompt(["dog", "cup"], ["person"], rng).user for _ in range(50)}
    assert len(texts) > 3
    for text in texts:
        assert "shows: person" in text and "not show: dog, cup" in text and "Ask about: " in text
    assert "nothing" in negative_prompt(["dog"], [], rng).user


@pytest.mark.parametrize(
    "change", [{"per_image": 0}, {"max_side": 0}, {"absent_share": 1.1}, {"two_share": -0.1}]
)
def test_impossible_settings_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    path = write_coco(tmp_path, [])
    with pytest.raises(ValueError, match=next(iter(change))):
        replace(config(path), **change)


@needs_samples
def test_real_annotations_give_a_record_of_every_image(tmp_path: Path) -> None:
    source = SAMPLES / "coco_tiny"
    path = source / "annotations/instances_train2017.json"
    records = build_negative(
        NegativeBuildConfig(
            annotations=str(path), images=str(source / "train2017"), out=str(tmp_path / "out")
        )
    )
    document = json.loads(path.read_text())
    names = {entry["id"]: entry["name"] for entry in document["categories"]}
    assert len(records) == 50
    for record in RecordSet.open(tmp_path / "out"):
        for name in parse_missing(parts(record)[1]) or []:
            sides = [
                max(entry["bbox"][2:])
                for entry in document["annotations"]
                if entry["image_id"] == record.meta["image_id"]
                and names[entry["category_id"]] == name
            ]
            assert max(sides, default=0) < 20


def test_a_class_that_nobody_annotated_is_not_taken_for_absent(tmp_path: Path) -> None:
    boxes = [annotation(0, CUP, [0, 0, 30, 30]), annotation(1, DOG, [0, 0, 30, 30])]
    path = write_some(tmp_path, boxes)
    assert classes(path) == (["dog"], [], ["cup"])
