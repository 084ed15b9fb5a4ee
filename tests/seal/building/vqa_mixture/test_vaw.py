from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_objects import ColorSeer, draw_squares
from golden_files import SAMPLES, needs_samples
from record_sets import draw_image

import seal.building.erasure.filter
from seal.building.erasure.filter import ANSWERED_WITHOUT, NOT_ANSWERED, ErasureConfig, says
from seal.building.formats.image_lookup import CORRUPT
from seal.building.language.unwritten_records import Draft, Prompt
from seal.building.vqa_mixture.attribute_sentences import (
    CHOICE,
    NO,
    OPEN,
    YES,
    Asked,
    is_plural,
    write_turn,
)
from seal.building.vqa_mixture.vaw import TASK, VawBuildConfig, askable, build_vaw, finish_vaw
from seal.building.vqa_mixture.vaw_files import AttributedObject, read_types
from seal.data.record_set import Record, RecordSet
from seal.files.digest import file_facts

TYPES = {
    "color": ["red", "blue", "dark blue", "green", "white", "murky"],
    "material": ["wooden", "metal", "furry", "glass"],
    "pattern": ["striped", "patterned"],
    "state": ["open", "closed"],
    "pose": ["sitting", "standing"],
    "gender": ["male", "female"],
}
ASKED_FOR = [name for name in TYPES if name != "gender"]
SQUARE = [[[10, 8], [24, 8], [24, 22], [10, 22]]]


def instance(image: Any = "1", number: Any = "10", **changes: Any) -> dict[str, Any]:
    entry = {
        "image_id": image,
        "instance_id": number,
        "instance_bbox": [10.0, 8.0, 14.0, 14.0],
        "instance_polygon": SQUARE,
        "object_name": "Cup",
        "positive_attributes": ["red"],
        "negative_attributes": ["blue", "open"],
    } | changes
    return {key: value for key, value in entry.items() if value is not ...}


def build(folder: Path, entries: list[dict[str, Any]], **more: Any) -> RecordSet:
    (folder / "vaw.json").write_text(json.dumps(entries))
    (folder / "types.json").write_text(json.dumps(TYPES))
    for number, sub in ((1, "VG_100K"), (2, "VG_100K_2"), (3, ".")):
        if not (folder / "vg" / sub / f"{number}.jpg").exists():
            draw_image(folder / "vg" / sub / f"{number}.jpg")
    values = {
        "annotations": str(folder / "vaw.json"),
        "attribute_types": str(folder / "types.json"),
        "images": str(folder / "vg"),
        "out": str(folder / "out"),
        "types": ASKED_FOR,
    }
    return build_vaw(VawBuildConfig(**(values | {"max_dropped": 1.0} | more)))


def thing(positive: list[str], negative: list[str] | None = None, name: str = "cup") -> Any:
    return AttributedObject(name, [1, 1, 9, 9], positive, negative or [], [], "1")


def ask(subject: AttributedObject, *kinds: str) -> list[Asked]:
    types = {name: frozenset(TYPES[name]) for name in ASKED_FOR}
    return askable(subject, types, kinds or (OPEN, CHOICE, YES, NO))


def test_an_instance_becomes_a_question_about_its_box(tmp_path: Path) -> None:
    record = build(tmp_path, [instance()], kinds=["open"])[0]
    question, answer = record.turns[0]
    assert question.startswith(
        "<image>\nAdditional visual information to focus on: <object>.\nWhat "
    )
    assert re.search(r"color.* the cup\?$", question) and re.search(r"the cup is red\.$", answer,
                                                                    re.IGNORECASE)  # fmt: skip
    assert [(t.name, t.box.x0, t.box.y1) for t in record.targets] == [("cup", 10, 22)]
    assert (record.id, record.image) == ("vaw-1-10", "VG_100K/1.jpg")
    assert (record.width, record.height) == (60, 40)
    assert record.meta == {
        "image_id": "1",
        "instance_id": "10",
        "attribute_type": "color",
        "kind": "open",
        "answer": "red",
    }


@pytest.mark.parametrize("number", [1, 2, 3])
def test_images_lie_in_either_folder_and_ids_may_be_numbers(tmp_path: Path, number: int) -> None:
    record = build(tmp_path, [instance(number, 10 * number)])[0]
    assert record.image == {1: "VG_100K/1.jpg", 2: "VG_100K_2/2.jpg", 3: "3.jpg"}[number]
    assert record.meta["image_id"] == str(number)


def test_open_and_yes_questions_rest_on_positive_attributes_alone() -> None:
    found = ask(thing(["red"], ["blue", "open", "closed"]))
    assert {(a.kind, a.type, a.values, a.other) for a in found} == {
        (OPEN, "color", ("red",), ""),
        (CHOICE, "color", ("red",), "blue"),
        (YES, "color", ("red",), ""),
        (NO, "color", ("blue",), ""),
        (NO, "state", ("open",), ""),
        (NO, "state", ("closed",), ""),
    }
    assert {a.kind for a in ask(thing([], ["blue"]))} == {NO}


@pytest.mark.parametrize(
    ("positive", "answer"),
    [
        (["red"], "red"),
        (["red", "white"], "red and white"),
        (["blue", "dark blue"], "dark blue"),  # the one says what the other says
        (["red", "white", "green"], None),
        (["murky"], None),
        (["wooden"], "wood"),
        (["metal", "glass"], "metal and glass"),
        (["furry"], None),  # nothing is made of it
        (["patterned"], None),
        (["open"], None),  # states are not asked for openly
        (["sitting"], "sitting"),
        (["male"], None),
        (["of no known type"], None),
    ],
)
def test_an_open_question_has_one_short_answer(positive: list[str], answer: str | None) -> None:
    assert [a.short_answer for a in ask(thing(positive), OPEN)] == ([answer] if answer else [])


def test_what_the_name_tells_is_not_asked_for() -> None:
    assert ask(thing(["red"], name="red cup")) == []
    assert {a.kind for a in ask(thing(["dark blue"], ["blue"]))} == {OPEN, YES, NO}


def test_every_form_agrees_with_its_annotation(tmp_path: Path) -> None:
    names = ["cup", "jeans", "man", "glass doors"]
    positive = [["red", "striped"], ["blue", "open"], ["sitting", "standing"], ["wooden"]]
    negative = [["blue", "wooden"], ["red", "closed"], ["red"], ["metal", "open"]]
    entries = [
        instance(
            image,
            f"{image}{i}",
            object_name=names[i],
            positive_attributes=positive[i],
            negative_attributes=negative[i],
        )
        for image in (1, 2, 3)
        for i in range(4)
    ]
    counts: Counter[str] = Counter()
    for seed in range(12):
        more = {"seed": seed, "max_questions": 9, "report_samples": 0}
        for record in build(tmp_path, entries, out=str(tmp_path / str(seed)), **more):
            check(record, {n: (p, q) for n, p, q in zip(names, positive, negative, strict=True)})
            counts[record.meta["kind"]] += 1
    assert min(counts[kind] for kind in (OPEN, CHOICE, YES, NO)) > 15


@pytest.mark.parametrize(
    ("values", "other", "question", "answer", "short"),
    [
        ("wooden", "metal", "Is the cup made of (wood or metal|metal or wood)?",
         "The cup is made of wood.", "wood"),
        ("wooden", "furry", "Is the cup (wooden or furry|furry or wooden)?", "The cup is wooden.",
         "wooden"),
        ("furry", "metal", "Is the cup (furry or metal|metal or furry)?", "The cup is furry.",
         "furry"),
    ],
)  # fmt: skip
def test_things_are_made_of_materials_and_are_of_other_kinds(
    values: str, other: str, question: str, answer: str, short: str
) -> None:
    asked = Asked(CHOICE, "material", (values,), other)
    facts = {**asdict(asked), "name": "cup", "plural": False, "short": asked.short_answer}
    written = write_turn(facts, np.random.default_rng(0))
    assert re.fullmatch(question.replace("?", r"\?"), written[0])
    assert (written[1], asked.short_answer) == (answer, short)
    assert says(written[1], short)


def check(record: Record, truth: dict[str, tuple[list[str], list[str]]]) -> None:
    question, answer = (text.split("\n")[-1].lower() for text in record.turns[0])
    name, kind = record.targets[0].name, record.meta["kind"]
    positive, negative = truth[name]
    assert f"the {name}" in question and f"the {name}" in answer
    plural = name in ("jeans", "glass doors")
    if "color of" not in question and " of the " not in question and "does" not in question:
        assert re.search(r"\b(are|do)\b" if plural else r"\b(is|does)\b", question), question
    told = question.replace("made of wood", "wooden").replace("or wood?", "or wooden?")
    mentioned = {a for a in positive + negative if says(told, a)}
    if kind == OPEN:
        assert not mentioned and says(answer, record.meta["answer"])
    elif kind == CHOICE:
        assert len(mentioned & set(positive)) == 1 == len(mentioned & set(negative))
        assert says(answer, record.meta["answer"]) and record.meta["answer"] in [*positive, "wood"]
    elif kind == YES:
        assert mentioned <= set(positive) and answer.startswith("yes, ") and mentioned
    else:
        assert mentioned <= set(negative) and answer.startswith("no, ") and " not " in answer


def test_only_objects_that_their_name_tells_apart_are_asked_for(tmp_path: Path) -> None:
    entries = [
        instance("1", "1"),
        instance("1", "2", object_name="coffee cups"),
        instance("1", "3", object_name="box"),
        instance("2", "4"),
    ]
    records = build(tmp_path, entries)
    assert [record.meta["instance_id"] for record in records] == ["3", "4"]
    assert records.description["counts"]["object that shares its name"] == 2


def test_files_of_one_split_are_read_together(tmp_path: Path) -> None:
    (tmp_path / "more.json").write_text(json.dumps([instance("1", "2"), instance("2", "3")]))
    records = build(tmp_path, [instance("1", "1")], also=[str(tmp_path / "more.json")])
    assert [record.id for record in records] == ["vaw-2-3"]
    (also,) = records.description["settings"]["also"]
    assert also == file_facts(tmp_path / "more.json")


def test_an_image_is_asked_about_as_often_as_allowed(tmp_path: Path) -> None:
    entries = [instance("1", i, object_name=f"thing{i}") for i in range(5)]
    for most in (1, 3):
        records = build(tmp_path, entries, max_questions=most, out=str(tmp_path / str(most)))
        assert len({record.meta["instance_id"] for record in records}) == most


def test_what_cannot_be_used_is_counted(tmp_path: Path) -> None:
    (tmp_path / "vg" / "VG_100K").mkdir(parents=True)
    (tmp_path / "vg" / "VG_100K" / "5.jpg").write_bytes(b"\xff\xd8 no picture")
    entries = [
        instance(),
        instance("2", "1", instance_bbox=None),
        instance("2", "2", object_name="a", instance_bbox=[5, 5, 0, 9]),
        instance("2", "3", object_name="b", instance_bbox=[80, 5, 20, 20]),
        instance("3", "4", instance_bbox=[5, 5, 5, 30]),
        instance("3", "5", object_name="d", positive_attributes=["male"], negative_attributes=[]),
        instance("4", "6"),
        instance("5", "7"),
        instance("6", "8", object_name=" "),
    ]
    records = build(tmp_path, entries, max_corrupt=1.0)
    assert [record.id for record in records] == ["vaw-1-10"]
    assert records.description["counts"] == {
        "items read": 6,
        "object that shares its name": 1,
        "object without a box": 1,
        "box without area or outside the image": 2,
        "object under min_side": 1,
        "object without an attribute to ask for": 1,
        "image file missing": 1,
        CORRUPT: 1,
        "records written": 1,
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_id": ...}, r"vaw.json: byte \d+: an instance has no image_id"),
        ({"object_name": ...}, r"vaw.json: byte \d+: no key 'object_name'"),
        ({"instance_bbox": [1, 2]}, r"vaw.json: byte \d+: not an instance"),
        ({"instance_bbox": ["a", 1, 2, 3]}, r"vaw.json: byte \d+: not an instance: .*'a'"),
        ({"positive_attributes": "red"}, r"not an instance: .*list of attributes, got 'red'"),
        ({"instance_polygon": [5]}, "not an instance"),
    ],
)
def test_a_broken_entry_names_file_and_byte(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build(tmp_path, [instance(), instance("2", "1", **changes)])


@pytest.mark.parametrize("polygon", [None, [], [[]], [[[1, 1], [2, 2]]], SQUARE])
def test_outlines_go_with_a_record_that_is_to_be_erased_by_them(
    tmp_path: Path, polygon: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seal.building.erasure.filter, "SealAnswers", lambda *_, **__: ColorSeer())
    draw_squares(tmp_path / "vg" / "VG_100K" / "1.jpg", [("red", (10, 8, 24, 22))])
    draw_squares(tmp_path / "vg" / "VG_100K_2" / "2.jpg", [("blue", (10, 8, 24, 22))])
    draw_squares(tmp_path / "vg" / "3.jpg", [("red", (10, 8, 24, 22)), ("red", (40, 8, 55, 18))])
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "config.json").write_text("{}")
    erasure = ErasureConfig(answers="seal", model=str(tmp_path / "m"), mask="polygon")
    entries = [instance(i, instance_polygon=polygon) for i in (1, 2, 3)]
    records = build(tmp_path, entries, kinds=["open"], erasure=erasure)
    assert [record.id for record in records] == ["vaw-1-10"]
    assert records[0].meta.get("polygons") == (
        [[10.0, 8.0, 24.0, 8.0, 24.0, 22.0, 10.0, 22.0]] if polygon == SQUARE else None
    )
    counts = records.description["counts"]
    assert (counts[NOT_ANSWERED], counts[ANSWERED_WITHOUT]) == (1, 1)


def draft(kind: str = OPEN, short: str = "red") -> Draft:
    facts = {"name": "cup", "kind": kind, "values": ("red",), "short": short}
    return Draft(
        Prompt(TASK, "s", "u", facts),
        {"id": "a", "source": "v", "license": "n", "image": "a", "width": 9, "height": 9,
         "targets": (), "meta": {}},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ("The cup is red.", "JSON"),
        ('{"question": "What?"}', "JSON"),
        ('{"question": "What is it?", "answer": "It is red."}', "name the cup"),
        ('{"question": "Tell me of the cup.", "answer": "It is red."}', r"end with \?"),
        ('{"question": "Is the cup red?", "answer": "It is red."}', "give its answer away"),
        ('{"question": "What color has the cup?", "answer": "Blue, it is."}', "answer 'red'"),
    ],
)
def test_a_reply_that_does_not_fit_the_annotation_is_refused(reply: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        finish_vaw(draft(), reply)


def test_plural_names_are_told_apart() -> None:
    for name in ("shoes", "jeans", "young people", "glasses", "benches", "trees"):
        assert is_plural(name), name
    for name in ("cup", "bus", "grass", "dress", "glass", "tennis", "cactus", "man"):
        assert not is_plural(name), name


def test_the_set_does_not_depend_on_the_workers(tmp_path: Path) -> None:
    entries = [instance(1 + i % 3, i, object_name=f"thing{i}") for i in range(30)]
    lines = []
    for name, more in {"a": {}, "b": {"workers": 2}, "c": {"seed": 3}}.items():
        records = build(tmp_path, entries, max_questions=9, out=str(tmp_path / name), **more)
        lines.append([record.to_json() for record in records])
    assert lines[0] == lines[1] != lines[2]


@pytest.mark.parametrize(
    "wrong", [{"max_questions": 0}, {"types": ["gender"]}, {"types": []}, {"kinds": ["why"]}]
)
def test_a_wrong_config_names_the_field(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        VawBuildConfig(annotations="a", images="i", out="o", attribute_types="t", **wrong)


def test_a_type_that_the_source_does_not_know_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"types.json does not know the types \['tone'\]"):
        build(tmp_path, [instance()], types=["color", "tone"])
    (tmp_path / "types.json").write_text("[")
    with pytest.raises(ValueError, match=r"types.json: byte 0: "):
        read_types(tmp_path / "types.json", ["color"])


@needs_samples
def test_the_official_record_and_vocabulary_are_read(tmp_path: Path) -> None:
    source = SAMPLES / "vaw"
    (entry,) = json.loads((source / "vaw_1record.json").read_text())
    draw_image(tmp_path / "vg" / "VG_100K" / f"{entry['image_id']}.jpg", 500, 331)
    kinds = set()
    for seed in range(12):
        config = VawBuildConfig(
            annotations=str(source / "vaw_1record.json"),
            attribute_types=str(source / "attribute_types.json"),
            images=str(tmp_path / "vg"),
            out=str(tmp_path / str(seed)),
            seed=seed,
            report_samples=0,
        )
        (record,) = build_vaw(config)
        assert record.targets[0].name == "floor" and np.isclose(record.targets[0].box.x1, 500)
        assert says(record.turns[0][1], record.meta["answer"])
        kinds.add(record.meta["kind"])
    assert len(kinds) >= 3
