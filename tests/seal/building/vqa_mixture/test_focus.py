from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from coco_files import CROWD, annotation, edit_coco, write_coco

from seal.building.vqa_mixture.focus import FocusBuildConfig, build_focus
from seal.data.record_set import RecordSet

DOG, KITE = [2, 10, 12, 12], [40, 12, 12, 12]
SCENE = [annotation(0, 3, DOG, id=5), annotation(0, 4, KITE, id=6)]


def talk(*texts: str, image: str | None = "0.png", **more: Any) -> dict[str, Any]:
    values = [{"from": "gpt" if i % 2 else "human", "value": text} for i, text in enumerate(texts)]
    entry = {"id": "t", "image": image, "conversations": values} | more
    return {key: value for key, value in entry.items() if value is not None}


ASKED = talk("<image>\nWhat does the dog do?", "The dog looks at a kite.")


def build(
    folder: Path, talks: list[dict[str, Any]], annotations: list[dict[str, Any]], **more: Any
) -> RecordSet:
    path = write_coco(folder, annotations)
    (folder / "llava.json").write_text(json.dumps(talks))
    values = {
        "annotations": str(path),
        "images": str(folder),
        "out": str(folder / "out"),
        "llava": str(folder / "llava.json"),
    }
    return build_focus(FocusBuildConfig(**(values | {"max_dropped": 1.0} | more)))


def names(records: RecordSet) -> list[list[str]]:
    return [[target.name for target in record.targets] for record in records]


def test_named_objects_become_targets_before_the_first_question(tmp_path: Path) -> None:
    talks = [talk("What does the dog do?\n<image>", "It looks at a kite.", "Why?", "It flies.")]
    record = build(tmp_path, talks, SCENE)[0]
    assert record.turns == [
        (
            "<image>\nAdditional visual information to focus on: <object>; <object>.\n"
            "What does the dog do?",
            "It looks at a kite.",
        ),
        ("Why?", "It flies."),
    ]
    assert [(t.name, t.box.x0) for t in record.targets] == [("dog", 2), ("kite", 40)]
    assert record.meta["annotation_ids"] == [5, 6] and record.meta["llava_id"] == "t"
    assert (record.image, record.license) == ("sub/0.png", "CC BY-NC 4.0")
    assert record.meta["image_license"] == "CC BY"


def test_answers_can_be_left_out_of_the_search_for_names(tmp_path: Path) -> None:
    assert names(build(tmp_path, [ASKED], SCENE, mentions="questions")) == [["dog"]]


@pytest.mark.parametrize(
    "image", ["0.png", "coco/train2017/0.png", "COCO_train2014_0.png", "COCO_val2014_0.png"]
)
def test_an_image_is_known_by_its_file_name(tmp_path: Path, image: str) -> None:
    assert len(build(tmp_path, [ASKED | {"image": image}], SCENE)) == 1


def test_a_name_that_may_mean_several_objects_makes_no_target(tmp_path: Path) -> None:
    second = annotation(0, 3, [20, 20, 9, 9])
    crowd = annotation(0, 3, [20, 20, 9, 9], iscrowd=1, segmentation=CROWD)
    for number, other in enumerate((second, crowd)):
        out = str(tmp_path / str(number))
        records = build(tmp_path, [ASKED], [*SCENE, other], out=out)
        assert names(records) == [["kite"]]
        counts = records.description["counts"]
        assert counts["names that could be any of several objects"] == 2


@pytest.mark.parametrize(
    ("text", "dogs", "expected"),
    [
        ("The dogs play.", 2, ["dog", "dog"]),
        ("The three dogs play.", 3, ["dog"] * 3),
        ("The dogs play.", 4, []),  # more than there is room for
        ("The two dogs play.", 3, []),
        ("The puppies play.", 2, ["puppy", "puppy"]),
        ("The puppies play.", 3, []),  # a dog may be none
        ("The dogs play.", 1, []),
        ("Two dogs play, and many dogs watch.", 3, []),
    ],
)
def test_a_plural_takes_all_instances_or_none(
    tmp_path: Path, text: str, dogs: int, expected: list[str]
) -> None:
    herd = [annotation(0, 3, [5 + 12 * i, 2, 10, 10]) for i in range(dogs)]
    talks = [talk("Look at the kite.", text)]
    records = build(tmp_path, talks, [annotation(0, 4, [5, 20, 9, 9]), *herd], max_targets=4
                    if dogs == 3 else 3)  # fmt: skip
    assert names(records) == [["kite", *expected]]


def test_targets_are_as_many_as_there_is_room_for(tmp_path: Path) -> None:
    more = [*SCENE, annotation(0, 5, [20, 5, 9, 9]), annotation(0, 2, [20, 20, 9, 9])]
    talks = [talk("Is the cup near the kite?", "Yes, near the wine glass and the dog.")]
    records = build(tmp_path, talks, more)
    assert names(records) == [["cup", "kite", "wine glass"]]
    assert records.description["counts"]["names beyond max_targets"] == 1


def test_one_person_is_no_man_and_woman(tmp_path: Path) -> None:
    person = annotation(0, 1, [20, 5, 9, 19])
    talks = [
        talk("Is the man near the dog?", "No, the woman is."),
        talk("Is the man near the dog?", "The surfer is a man."),
    ]
    records = build(tmp_path, talks, [*SCENE, person])
    assert names(records) == [["dog"], ["man", "dog"]]


def test_what_cannot_be_used_is_counted(tmp_path: Path) -> None:
    talks = [
        ASKED,
        talk("Hello?", "Yes.", image=None),
        talk("Is the dog in?", "Yes.", image="9.png"),
        talk("What is that?", "A cloud."),
        talk("Is the dog in?", ""),
        talk("Is the dog in?"),
        talk("Is the <object> a dog?", "Yes."),
        ASKED | {"image": "1.png"},
    ]
    write_coco(tmp_path, [])
    records = build(tmp_path, talks, [*SCENE, annotation(1, 3, [5, 5, 0, 9])])
    assert len(records) == 1
    expected = {
        "items read": 8,
        "conversation without an image": 1,
        "image not in the annotations": 1,
        "no unambiguous object is named": 2,
        "turns that do not alternate or are empty": 2,
        "boxes without area": 1,
        "records written": 1,
    }
    counts = records.description["counts"]
    assert {key: counts[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"id": 1, "image": "0.png"}, "no 'conversations'"),
        ({"image": "0.png", "conversations": [{"from": "human", "value": None}]}, "got None"),
        ({"image": "0.png", "conversations": ["hello"]}, "not a conversation"),
        ("text", "not a conversation"),
    ],
)
def test_a_broken_entry_names_file_and_byte(tmp_path: Path, entry: Any, message: str) -> None:
    with pytest.raises(ValueError, match=rf"llava.json: entry at byte \d+: .*{message}"):
        build(tmp_path, [entry], SCENE)


def test_a_missing_image_is_counted_and_a_broken_index_is_an_error(tmp_path: Path) -> None:
    path = write_coco(tmp_path, SCENE)
    edit_coco(path, "images", 1, file_name=...)
    (tmp_path / "llava.json").write_text(json.dumps([ASKED]))
    config = FocusBuildConfig(
        annotations=str(path),
        images=str(tmp_path),
        out=str(tmp_path / "out"),
        llava=str(tmp_path / "llava.json"),
    )
    with pytest.raises(ValueError, match=r"coco.json: image at byte \d+: no key 'file_name'"):
        build_focus(config)
    write_coco(tmp_path, SCENE)
    (tmp_path / "sub" / "0.png").unlink()
    with pytest.raises(ValueError, match=r"1 for: image file missing .sub/0.png below"):
        build_focus(config)
    config.llava = "none.json"
    with pytest.raises(ValueError, match=r"llava=none.json is not a file"):
        build_focus(config)


def test_the_set_does_not_depend_on_the_workers(tmp_path: Path) -> None:
    talks = [ASKED | {"id": i} for i in range(20)]
    lines = [
        [r.to_json() for r in build(tmp_path, talks, SCENE, workers=w, out=str(tmp_path / str(w)))]
        for w in (0, 2)
    ]
    assert lines[0] == lines[1] and len(lines[0]) == 20


@pytest.mark.parametrize("wrong", [{"max_targets": 0}, {"min_side": -1}, {"mentions": "all"}])
def test_a_wrong_config_names_the_field(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FocusBuildConfig(annotations="a", images="i", out="o", llava="l", **wrong)


def test_an_image_that_shares_its_name_is_not_taken_for_the_other(tmp_path: Path) -> None:
    path = write_coco(tmp_path, SCENE)
    edit_coco(path, "images", 1, file_name="other/0.png")
    (tmp_path / "llava.json").write_text(json.dumps([ASKED]))
    with pytest.raises(ValueError, match="'image whose name several have': 1"):
        build_focus(
            FocusBuildConfig(
                annotations=str(path),
                images=str(tmp_path),
                out=str(tmp_path / "out"),
                llava=str(tmp_path / "llava.json"),
            )
        )


@pytest.mark.parametrize("mark", ["</s>", "ASSISTANT: ", "<object>", "[LOC]"])
def test_a_text_with_a_mark_of_the_models_is_dropped(tmp_path: Path, mark: str) -> None:
    for number, texts in enumerate((("a dog?", f"A dog {mark}."), (f"a {mark} dog?", "A dog."))):
        records = build(tmp_path, [talk(*texts), ASKED], SCENE, out=str(tmp_path / str(number)))
        assert len(records) == 1
        assert records.description["counts"][f"{mark.strip()} in the text"] == 1
