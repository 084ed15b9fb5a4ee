"""Answers are normalized as the original did; what that does to letters and numbers is told."""

from __future__ import annotations

import pytest
from golden_files import each_golden
from hypothesis import given
from hypothesis import strategies as st

from seal.metrics.vqa_answers import normalize_answer, strip_punctuation


@pytest.mark.goldens("vicrop_scores")
def test_normalized_texts_are_those_of_the_original():
    for case in each_golden("vicrop/scores", "normaliser"):
        assert strip_punctuation(case["text"]) == case["punctuation_only"]
        assert normalize_answer(case["text"]) == case["normalised"]


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("A", ""),
        ("couldnt've", "couldn't've"),
        ("couldn'tve", "couldn't've"),
        ("couldntve", "couldntve"),  # one apostrophe can be put back, not two
        ("Im", "im"),  # the published table looks for the capital behind lower-casing
        ("somebody'd", "somebodyd"),
        ("None", "0"),
        ("eleven", "eleven"),
    ],
)
def test_words_with_a_place_in_the_tables(text, normal):
    assert normalize_answer(text) == normal


@given(st.text(max_size=60))
def test_any_text_normalizes_to_single_blanks_and_lower_case(text):
    found = normalize_answer(text)
    assert found == " ".join(found.split())
    assert not {"a", "an", "the"} & set(found.split())
