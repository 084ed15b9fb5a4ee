from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seal.metrics.yes_no_rules import mme_says_yes, pope_says_yes


def published_pope(text):
    """AoiDragon/POPE, evaluate.py, in our words: the label 1 of an answer."""
    words = text.partition(".")[0].replace(",", "").split(" ")
    return not {"No", "no", "not"} & set(words)


def published_mme(answer):
    """MME's eval_tool, in our words."""
    said = answer.lower()
    return next((word for word in ("yes", "no") if word in said[:4]), "other")


WORDS = st.lists(
    st.sampled_from(["Yes", "No", "no", "yes", "not", "there", "is", "a,", "dog.", "nothing"]),
    min_size=1,
    max_size=6,
).map(" ".join)


@given(WORDS)
def test_sentences_are_read_as_popes_code_reads_them(text):
    assert pope_says_yes(text) is published_pope(text)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("Yes", True),
        ("No, there is no dog in the image.", False),
        ("There is a dog. It is not black.", True),
        ("yes, there is no doubt", False),  # the code's reading
        ("A dog lies there", True),
        ("NO", False),
        ("No\n", False),
        ("no\tdog", False),
        ("", None),
        ("  \n", None),
        ("...", None),
        (" . yes", None),
    ],
)
def test_pope_takes_what_is_no_no_for_a_yes_unless_nothing_is_said(answer, says):
    assert pope_says_yes(answer) is says


@given(st.one_of(WORDS, st.text(max_size=8)))
def test_answers_are_read_as_mmes_code_reads_them(text):
    assert {True: "yes", False: "no", None: "other"}[mme_says_yes(text)] == published_mme(text)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("Yes", True),
        ("no.", False),
        ("Yes, it is", True),
        (" Yes", True),
        ("not at all", False),
        ("The answer is yes", None),
        ("", None),
        ("eyes", True),
    ],
)
def test_mme_looks_at_four_characters(answer, says):
    assert mme_says_yes(answer) is says
