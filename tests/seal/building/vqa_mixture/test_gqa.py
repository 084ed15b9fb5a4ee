from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_objects import ColorSeer, draw_squares
from golden_files import SAMPLES, needs_samples
from record_sets import draw_image

import seal.building.erasure.filter
from seal.building.erasure.filter import ANSWERED_WITHOUT, NOT_ANSWERED, ErasureConfig
from seal.building.formats.image_lookup import CORRUPT
from seal.building.language import LanguageConfig
from seal.building.language.unwritten_records import Draft, Prompt
from seal.building.vqa_mixture.gqa import (
    GqaBuildConfig,
    asked_objects,
    build_gqa,
    finish_gqa,
    full_sentence,
    tells_answer,
)
from seal.data.record_set import RecordSet

CUP, TABLE = {"name": "Cup", "x": 10, "y": 8, "w": 14, "h": 14}, {
    "name": "table", "x": 5, "y": 20, "w": 50, "h": 30,
}  # fmt: skip
OBJECTS = {"1": CUP, "2": TABLE, "3": {"name": "dot", "x": 3, "y": 3, "w": 2, "h": 2},
           "4": {"name": "far", "x": 70, "y": 3, "w": 9, "h": 9}}  # fmt: skip


def question(image: str = "n5", **changes: Any) -> dict[str, Any]:
    entry = {
        "question": "What color is the cup on the table?",
        "imageId": image,
        "answer": "red",
        "fullAnswer": "the cup is red",
        "annotations": {
            "question": {"7": "2", "4": "1"},
            "answer": {},
            "fullAnswer": {"1": "1"},
        },
        "isBalanced": True,
    } | changes
    return {key: value for key, value in entry.items() if value is not ...}


def build(
    folder: Path, questions: dict[str, Any], graphs: dict[str, Any] | None = None, **more: Any
) -> RecordSet:
    (folder / "q.json").write_text(json.dumps(questions))
    graph = {"width": 60, "height": "40", "objects": OBJECTS}
    (folder / "g.json").write_text(json.dumps({"n5": graph, "n6": graph} | (graphs or {})))
    if not (folder / "i" / "n5.jpg").exists():
        draw_image(folder / "i" / "n5.jpg")
    values = {
        "annotations": str(folder / "q.json"),
        "scene_graphs": str(folder / "g.json"),
        "images": str(folder / "i"),
        "out": str(folder / "out"),
    }
    return build_gqa(GqaBuildConfig(**(values | {"max_dropped": 1.0} | more)))


def test_the_objects_of_a_question_are_its_targets_in_its_order(tmp_path: Path) -> None:
    record = build(tmp_path, {"77": question()})[0]
    assert record.turns == [
        (
            "<image>\nAdditional visual information to focus on: <object>; <object>.\n"
            "What color is the cup on the table?",
            "The cup is red.",
        )
    ]
    assert [(t.name, t.box.x0, t.box.y1) for t in record.targets] == [
        ("cup", 10, 22),
        ("table", 5, 40),  # cut at the border
    ]
    assert (record.id, record.image, record.width, record.height) == ("gqa-77", "n5.jpg", 60, 40)
    assert record.meta == {
        "question_id": "77",
        "image_id": "n5",
        "object_ids": ["1", "2"],
        "answer": "red",
    }


@pytest.mark.parametrize(
    ("annotations", "without", "with_answer"),
    [
        ({"question": {"3": "a", "0:2": "b"}}, ["b", "a"], ["b", "a"]),
        ({"question": {"10": "b", "9": "a"}}, ["a", "b"], ["a", "b"]),
        ({"answer": {"0": "12"}, "question": {}, "fullAnswer": {"1": "12", "6": "0"}}, ["0"],
         ["12", "0"]),
        ({"answer": {"0": "a"}, "question": {"2": "a"}, "fullAnswer": {"1": "a"}}, ["a"], ["a"]),
        ({"answer": {"0": "a"}}, [], ["a"]),
        ({"question": {"1": 5, "2": "5"}}, ["5"], ["5"]),
        ({"question": None}, [], []),
        (None, [], []),
    ],
)  # fmt: skip
def test_an_object_that_only_the_answer_names_is_no_target(
    annotations: Any, without: list[str], with_answer: list[str]
) -> None:
    entry = {"annotations": annotations}
    assert asked_objects(entry, with_answer=False) == without
    assert asked_objects(entry, with_answer=True) == with_answer


@pytest.mark.parametrize(
    ("name", "asked", "answer", "tells"),
    [
        ("zebra", "What is this animal?", "zebra", True),
        ("orange", "What color is the fruit?", "orange", True),
        ("orange juice", "What color is the drink?", "orange", True),
        ("cup", "Is it a cup or a plate?", "cup", False),
        ("cups", "What color are the cups?", "red", False),
        ("zebra", "Is the animal large?", "yes", False),
    ],
)
def test_a_name_that_the_question_avoids_may_be_the_answer(
    name: str, asked: str, answer: str, tells: bool
) -> None:
    assert tells_answer(name, asked, answer) is tells


def test_a_target_whose_name_is_the_answer_drops_the_question(tmp_path: Path) -> None:
    spans = {"question": {"3": "1"}, "answer": {"0": "1"}, "fullAnswer": {"2": "1"}}
    leaking = question(
        question="What kind of thing is it?", answer="cup", fullAnswer="It is a cup",
        annotations=spans,
    )  # fmt: skip
    records = build(tmp_path, {"1": leaking, "2": question()})
    assert [record.meta["question_id"] for record in records] == ["2"]
    assert records.description["counts"]["question about an object whose name is its answer"] == 1
    kept = build(tmp_path, {"1": leaking}, out=str(tmp_path / "all"), answer_objects=True)
    assert len(kept) == 1


def test_what_cannot_be_used_is_counted(tmp_path: Path) -> None:
    def about(*objects: str) -> dict[str, Any]:
        return question(annotations={"question": {str(i): o for i, o in enumerate(objects)}})

    draw_image(tmp_path / "i" / "n7.jpg", 10, 10)
    (tmp_path / "i" / "n8.jpg").write_bytes(b"\xff\xd8 no picture")
    graph = {"width": 60, "height": 40, "objects": OBJECTS}
    records = build(
        tmp_path,
        {
            "0": question(),
            "1": question(annotations=...),
            "2": question(annotations={"question": {}, "answer": {}, "fullAnswer": {}}),
            "3": about("1", "99"),
            "4": about("4"),
            "5": about("3"),
            "6": about("1", "2", "3", "4"),
            "7": question("n404"),
            "8": question("n6"),
            "9": question("n7"),
            "10": question("n8"),
            "11": question(answer=...),
            "12": question(fullAnswer=None),
            "13": question(fullAnswer="It is blue."),
        },
        {"n7": graph, "n8": graph},
        max_corrupt=1.0,
    )
    assert [record.id for record in records] == ["gqa-0"]
    assert records.description["counts"] == {
        "items read": 14,
        "question without annotated objects": 2,
        "question about an object not in the scene graph": 1,
        "question about a box without area": 1,
        "question about an object under min_side": 1,
        "question about more than max_targets objects": 1,
        "image without a scene graph": 1,
        "image file missing": 1,
        "image size differs from its annotation": 1,
        CORRUPT: 1,
        "question without text or answer": 1,
        "no usable answer of the language model": 2,
        "records written": 1,
    }


@pytest.mark.parametrize(
    ("questions", "graphs", "message"),
    [
        ({"1": question(imageId=...)}, {}, r"q.json: entry at byte 6: no key 'imageId'"),
        ({"1": question(annotations=[1])}, {}, r"q.json: entry at byte 6: not a question"),
        ({"1": question(annotations={"question": {"x": "1"}})}, {}, "not a question: .*'x'"),
        ({"1": question("n9")}, {"n9": {"width": 60, "height": 40}}, "g.json.*no key 'objects'"),
        ({"1": question("n9")}, {"n9": {"width": "w", "height": 40, "objects": {}}}, "not a graph"),
    ],
)
def test_a_broken_entry_names_file_and_byte(
    tmp_path: Path, questions: dict[str, Any], graphs: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build(tmp_path, questions, graphs)


def test_a_truncated_file_and_a_missing_one_are_errors(tmp_path: Path) -> None:
    build(tmp_path, {"1": question()})
    config = GqaBuildConfig(
        annotations=str(tmp_path / "q.json"),
        scene_graphs=str(tmp_path / "g.json"),
        images=str(tmp_path / "i"),
        out=str(tmp_path / "out2"),
    )
    (tmp_path / "g.json").write_text((tmp_path / "g.json").read_text()[:-20])
    with pytest.raises(ValueError, match=r"g.json: byte \d+: .*complete"):
        build_gqa(config)
    config.scene_graphs = "none.json"
    with pytest.raises(ValueError, match=r"scene_graphs=none.json is not a file"):
        build_gqa(config)


def test_a_limit_takes_a_sample_that_the_seed_draws(tmp_path: Path) -> None:
    questions = {str(i): question() for i in range(60)}

    def taken(**more: Any) -> list[str]:
        out = str(tmp_path / str(sorted(more.items())))
        records = build(tmp_path, questions, limit=12, out=out, **more)
        return [record.id.removeprefix("gqa-") for record in records]

    first = [str(i) for i in range(12)]
    assert taken(shuffle=False) == first
    drawn = taken()
    assert drawn == taken(workers=2) != taken(seed=1)
    assert len(set(drawn)) == 12 and sorted(drawn, key=int) != first


@pytest.mark.parametrize(
    ("text", "short", "expected"),
    [
        (' "the cup is red" ', "red", "The cup is red."),
        ("Yes, it is.", "yes", "Yes, it is."),
        ("The bags are there!", "bags", "The bags are there!"),
    ],
)
def test_a_sentence_is_made_whole(text: str, short: str, expected: str) -> None:
    assert full_sentence(text, short) == expected


@pytest.mark.parametrize(
    ("text", "short", "message"),
    [
        ("", "red", "one sentence"),
        ("It is red.\nReally.", "red", "one sentence"),
        ("Red.", "red", "2 to 40 words"),
        ("red " * 41, "red", "2 to 40 words"),
        ("It is blue.", "red", "short answer 'red'"),
        ("It is.", "yes", "short answer 'yes'"),
        ("The <object> is red.", "red", "placeholder"),
    ],
)
def test_a_sentence_that_is_none_says_why(text: str, short: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        full_sentence(text, short)


def test_a_language_model_may_write_the_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Model:
        def settings(self) -> dict[str, Any]:
            return {"kind": "scripted"}

        def report(self) -> dict[str, Any]:
            return {}

        def write(self, prompts: Any, check: Any) -> list[str | None]:
            self.prompts: list[Prompt] = list(prompts)
            with pytest.raises(ValueError, match="short answer 'red'"):
                check(0, "It is blue.")
            check(0, "On the table stands a red cup.")
            return ["On the table stands a red cup."]

    model = Model()
    monkeypatch.setattr(LanguageConfig, "build", lambda self, templates: model)
    records = build(tmp_path, {"1": question()})
    assert records[0].turns[0][1] == "On the table stands a red cup."
    assert model.prompts[0].user == (
        "Question: What color is the cup on the table?\nShort answer: red"
    )
    assert records.description["settings"]["language"] == {"kind": "scripted"}


def test_questions_that_do_not_need_their_object_are_filtered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = (10, 8, 24, 22)
    pictures: dict[str, list[Any]] = {
        "n5": [("red", place)],
        "n6": [("red", place), ("red", (40, 8, 58, 18))],
        "n7": [("green", place)],
    }
    for name, squares in pictures.items():
        draw_squares(tmp_path / "i" / f"{name}.jpg", squares)
    monkeypatch.setattr(seal.building.erasure.filter, "SealAnswers", lambda *_, **__: ColorSeer())
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    about_the_cup = {"question": {"3": "1"}}
    records = build(
        tmp_path,
        {name: question(name, annotations=about_the_cup) for name in pictures},
        {"n7": {"width": 60, "height": 40, "objects": OBJECTS}},
        erasure=ErasureConfig(answers="seal", model=str(tmp_path / "model")),
    )
    counts = records.description["counts"]
    assert [record.id for record in records] == ["gqa-n5"]
    assert (counts[ANSWERED_WITHOUT], counts[NOT_ANSWERED]) == (1, 1)
    erasure = records.description["settings"]["erasure"]
    assert erasure["model"].endswith("/model") and erasure["inpainter"] == "opencv"


@needs_samples
def test_the_official_record_is_read(tmp_path: Path) -> None:
    entries = json.loads((SAMPLES / "gqa" / "gqa_question_1record.json").read_text())
    (entry,) = entries.values()
    assert asked_objects(entry, with_answer=False) == ["0"]
    draft = Draft(
        Prompt("t", "s", "u"),
        {
            "id": "a",
            "source": "gqa",
            "license": "n",
            "image": None,
            "targets": (),
            "question": entry["question"],
            "meta": {"answer": entry["answer"]},
        },
    )
    with pytest.raises(ValueError, match="short answer 'picture'"):
        finish_gqa(draft, "It is a chalkboard.")
    graph = json.loads((SAMPLES / "gqa" / "gqa_sceneGraph_PARTIAL_1image.json").read_text())
    (name,) = graph
    draw_image(tmp_path / "i" / f"{name}.jpg", 500, 333)
    records = build(
        tmp_path,
        {"1": question(name, answer="skillet", fullAnswer="The meat is in the skillet.",
                       annotations={"question": {"2": "1188535"}, "answer": {"0": "1188513"},
                                    "fullAnswer": {"1": "1188535", "5": "1188513"}})},
        graph,
    )  # fmt: skip
    assert [target.name for target in records[0].targets] == ["meat"]
    assert np.isclose(records[0].targets[0].box.width, 32)
