from __future__ import annotations

import pytest

from seal.building.language.class_names import is_plural, mentions, related


@pytest.mark.parametrize(
    ("name", "plural"),
    [("scissors", True), ("skis", True), ("bus", False), ("wine glass", False), ("dog", False)],
)
def test_the_verb_goes_by_the_name(name: str, plural: bool) -> None:
    assert is_plural(name) == plural


def test_a_name_is_found_as_whole_words_in_both_numbers() -> None:
    text = "Are the Dogs near a bus, or by the hotdog stand's cup-holder?"
    assert mentions(text, ["dog", "bus", "cup", "stand", "cat"]) == {
        "dog": 8,
        "bus": 20,
        "stand": 42,
    }


def test_the_longest_name_has_the_place() -> None:
    names = ["bear", "teddy bear"]
    assert mentions("Where is the teddy bear?", names) == {"teddy bear": 13}
    assert mentions("The bear or the teddy bear?", names) == {"bear": 4, "teddy bear": 16}


def test_names_within_names_are_related() -> None:
    assert related("bear", "teddy bear") and related("hot dog", "dog")
    assert not related("car", "carrot")
