"""What can be searched for, and how an error quotes what cannot."""

from __future__ import annotations

import pytest

from seal.text.prompts import cue_prefix, cue_question, locate_question, without_article
from seal.text.quote import quoted
from seal.text.targets import check_target, why_not_a_target


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("...", "names no thing"),
        ("the", "names no thing"),
        ("The an", "names no thing"),
        ("__", "names no thing"),
        ("[LOC]", r"contains \[LOC\]"),
        ("the <image> there", "contains <image>"),
        ("boat</s>", "contains </s>"),
        ("boat " * 2001, "10,005 bytes of text, at most 500"),
        ("\u8239" * 200, "600 bytes of text"),
        ("a boat <im_patch>", "contains <im_patch>"),
        ("<unk>", "contains <unk>"),
        ("boat\x00", r"contains the character U\+0000, which is no text"),
        ("\x1b[31mboat", r"contains the character U\+001B"),
        ("boat\ud800", r"contains the character U\+D800"),  # half of a pair, of a broken argument
        (7, "a target is text, not int"),
        (b"boat", "a target is text, not bytes"),
    ],
)
def test_what_names_no_thing_is_refused_in_one_line(target, says):
    with pytest.raises(ValueError, match=says) as error:
        check_target(target)
    assert "\n" not in str(error.value) and len(str(error.value)) < 300


@pytest.mark.parametrize(
    "target",
    [
        "the man in the red coat left of the bus",
        'the "No entry" sign (the upper one), not the lower',
        "boats?",
        "the St. Bernard dog",
        "red\n\tboat",
        "der rote B\u00e4r",
        "\u7ea2\u8272\u7684\u8239",
        "\u0646\u06cc\u0645\u200c\u0641\u0627\u0635\u0644\u0647",  # its joiner is a letter's part
        "USER: the boat",
        "<b>",
    ],
)
def test_free_phrases_are_searched_for_as_they_are(target):
    assert why_not_a_target(target) is None
    name = without_article(target)
    words = target.split()  # all of them reach the models, but for an article in front
    assert name == " ".join(words[1:] if words[0] == "the" else words)
    for sentence in (locate_question(name), cue_question(name), cue_prefix(name)):
        assert f"he {name} " in sentence


@pytest.mark.parametrize(
    "target", ["boat", "the", "THE boat", "a", "42", "\u8239", "the man's hat [left]", "x" * 500]
)
def test_a_phrase_with_a_word_is_searched_for(target):
    assert (why_not_a_target(target) is None) == (target not in ("the", "a"))


def test_a_long_text_is_quoted_by_its_ends_and_its_length():
    assert quoted("a mug") == "'a mug'"
    assert quoted("x" * 100) == repr("x" * 100)
    long = quoted("begin " + "word\n" * 5000 + "end")
    assert long.startswith("'begin word") and long.endswith("end' (25,009 characters)")
    assert len(long) < 200 and "\n" not in long
    assert len(quoted(["x" * 5000])) < 150
