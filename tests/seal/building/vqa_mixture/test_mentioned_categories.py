from __future__ import annotations

import pytest

from seal.building.vqa_mixture.mentioned_categories import Mention, MentionFinder
from seal.text.parse import parse

WORDS = (
    "person bicycle motorcycle bus train dog bear orange skis scissors horse sheep bench hot_dog "
    "teddy_bear cell_phone dining_table fire_hydrant tennis_racket"
)
NAMES = {name: name.replace("_", " ") for name in WORDS.split()}
find = MentionFinder(NAMES, parse)


def named(text: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(mention.name, mention.categories) for mention in find(text)]


def test_a_mention_says_how_many_it_means() -> None:
    assert find("The two dogs are near a bus and some people.") == [
        Mention("dog", ("dog",), plural=True, number=2),
        Mention("bus", ("bus",), plural=False),
        Mention("person", ("person",), plural=True),
    ]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("What is the man holding?", [("man", ("person",))]),
        ("Two women sit on the bench.", [("woman", ("person",)), ("bench", ("bench",))]),
        ("There is a bike.", [("bike", ("bicycle", "motorcycle"))]),
        ("She talks on her mobile phone.", [("mobile phone", ("cell_phone",))]),
        ("The man and woman", [("man", ("person",)), ("woman", ("person",))]),
        ("the man's dog", [("man", ("person",)), ("dog", ("dog",))]),
        ("A hot dog on the table.", [("hot dog", ("hot_dog",)), ("table", ("dining_table",))]),
        ("the teddy bear", [("teddy bear", ("teddy_bear",))]),
        ("a big yellow fire hydrant", [("fire hydrant", ("fire_hydrant",))]),
        ("The skis and the scissors.", [("skis", ("skis",)), ("scissors", ("scissors",))]),
    ],
)
def test_names_and_synonyms_are_found(text: str, names: list[tuple[str, tuple[str, ...]]]) -> None:
    assert named(text) == names


@pytest.mark.parametrize(
    "text",
    [
        "What is at the bus stop?",
        "There is a dog bench.",
        "They travel by train.",
        "The wall is orange.",
        "a toy train",
        "a photo of a dog",
        "There is no dog in the yard.",
        "a stuffed bear",
        "the other dog",
        "Why?",
        "",
    ],
)
def test_what_stands_for_nothing_in_the_picture_is_not_found(text: str) -> None:
    assert named(text) == []


def test_a_synonym_does_not_count_for_the_whole_of_its_category() -> None:
    assert [m.whole for m in find("the men and the persons")] == [False, True]


def test_a_synonym_of_what_the_source_does_not_know_is_not_found() -> None:
    assert MentionFinder({"1": "dog"}, parse)("A man with a puppy and a dog.") == [
        Mention("puppy", ("1",), plural=False, whole=False),
        Mention("dog", ("1",), plural=False),
    ]
