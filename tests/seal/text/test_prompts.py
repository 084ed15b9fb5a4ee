from __future__ import annotations

import pytest
from golden_files import counted, golden_json
from hypothesis import given
from hypothesis import strategies as st

from seal.geometry import Box
from seal.text.prompts import (
    focus_sentence,
    focused_question,
    missing_phrase,
    object_phrase,
    parse_missing,
    refusal,
    without_article,
)

NAMES = st.lists(st.from_regex(r"[a-z]([a-z .]{0,8}[a-z])?", fullmatch=True), min_size=1)


@given(NAMES)
def test_a_refusal_is_read_back(names: list[str]) -> None:
    assert parse_missing(refusal(names)) == names


@pytest.mark.parametrize(
    ("answer", "missing"),
    [
        ("The cup is red.", None),
        ("", None),
        ("Sorry, I can not answer the question.", None),
        (refusal(["cup"]).removesuffix("."), ["cup"]),
        (refusal(["cup"]) + ".", ["cup."]),  # one final period belongs to the sentence
        ("Well. " + refusal(["a", "b"]), ["a", "b"]),
        (refusal(["a"]).replace(" a.", ""), []),
        (refusal(["a"]).replace(" a.", " a,, b ,"), ["a", "b"]),
    ],
)
def test_only_a_refusal_names_missing_objects(answer: str, missing: list[str] | None) -> None:
    assert parse_missing(answer) == missing


def test_a_refusal_without_objects_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        refusal([])


def test_the_focus_sentence_lists_what_was_found_and_what_was_not() -> None:
    phrases = [object_phrase("cup", Box(0, 0, 50, 100), 200, 100), missing_phrase("kite")]
    assert focused_question(phrases, "Where?") == (
        "Additional visual information to focus on: cup <object> at location "
        "[0.000,0.250,0.250,0.750]; kite not existent in the image.\nWhere?"
    )


def test_without_phrases_the_question_stands_alone() -> None:
    assert focused_question([], "Where?") == "Where?"
    with pytest.raises(ValueError, match="at least one"):
        focus_sentence([])


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("red boat", "red boat"),
        ("the red boat", "red boat"),
        ("The  Red Boat", "Red Boat"),
        ("a mug", "mug"),
        ("an apple near the mug", "apple near the mug"),
        ("theater", "theater"),
        ("anchor", "anchor"),
        ("A", "A"),  # a letter on a sign
        ("On the wall", "On the wall"),
    ],
)
def test_the_article_that_people_type_is_dropped(target: str, name: str) -> None:
    assert without_article(target) == name


@pytest.mark.goldens("vqa_cases")
def test_object_phrases_equal_the_prompts_of_the_original() -> None:
    golden = golden_json("vqa_cases")
    pool = golden["pool"]
    for case in counted(golden["cases"].values()):
        phrases = []
        for index in case["objects"]:
            thing = pool["objects"][index]
            image = next(i for i in pool["images"] if i["png"] == thing["png"])
            phrases.append(
                object_phrase(thing["name"], Box.from_xywh(*thing["bbox_xywh"]), *image["size"])
            )
        if phrases:
            assert focus_sentence(phrases) in case["prompt"]
