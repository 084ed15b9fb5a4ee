from __future__ import annotations

import numpy as np
import pytest

from seal.building.search_mixture.location_sentences import (
    checked_location,
    location_prompt,
    location_template,
)
from seal.text.phrases import location_text
from seal.text.prompts import cue_prefix

CAPTIONS = ["A man walks a dog on the beach.", "Two people near a wooden table"]


def answers(target: str, objects: list[str], captions: list[str] = CAPTIONS) -> set[str]:
    facts = location_prompt(target, captions, objects).facts
    return {location_template(facts, np.random.default_rng(seed)) for seed in range(40)}


@pytest.mark.parametrize(
    ("target", "objects", "place"),
    [
        ("kite", ["person"], "in the sky above the person"),
        ("bicycle", ["person"], "on the beach"),
        ("cup", ["person"], "on the table"),
        ("tie", ["person", "dog"], "around the neck of the person"),
        ("clock", ["tv"], "next to the tv"),
        ("clock", [], "in the background of the scene"),
    ],
)
def test_a_template_puts_an_object_where_its_kind_belongs(
    target: str, objects: list[str], place: str
) -> None:
    assert place in answers(target, objects)


@pytest.mark.parametrize("target", ["kite", "cup", "clock", "person", "boat", "dining table"])
def test_every_template_passes_the_check_and_can_be_read_back(target: str) -> None:
    for answer in answers(target, ["couch", "dog"]):
        phrase = checked_location(answer, target)
        assert phrase == answer
        assert location_text(f"{cue_prefix(target)} {phrase}.", target) == phrase


def test_an_object_is_not_put_on_itself() -> None:
    assert not any("table" in answer for answer in answers("dining table", ["couch"]))


@pytest.mark.parametrize(
    ("answer", "phrase"),
    [
        ("On the roof of the building.", "on the roof of the building"),
        ('"in the sky"', "in the sky"),
        ("The flag is most likely to appear on the roof.", "on the roof"),
        ("hanging on the wall", "hanging on the wall"),
        ("next to the flagpole", "next to the flagpole"),
    ],
)
def test_a_phrase_is_freed_from_what_surrounds_it(answer: str, phrase: str) -> None:
    assert checked_location(answer, "flag") == phrase


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("on the a b c d e f g h i", "11 words"),
        ("outside", "1 words"),
        ("the roof", "preposition"),
        ("on the flag of the roof", "names the flag"),
        ("on the roof. It is red", "more than a phrase"),
        ("on the roof\nor so", "more than a phrase"),
        ("", "0 words"),
    ],
)
def test_an_answer_of_no_use_is_refused_with_the_reason(answer: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        checked_location(answer, "flag")


def test_the_prompt_holds_the_captions_the_objects_and_the_target() -> None:
    prompt = location_prompt("kite", CAPTIONS, ["person", "dog"])
    assert all(caption in prompt.user for caption in CAPTIONS)
    assert "person, dog" in prompt.user and prompt.user.endswith("not there: kite.")
