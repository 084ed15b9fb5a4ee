from __future__ import annotations

import math

import pytest

from seal.inference.answers.top_words import word_losses


def test_a_word_is_the_sum_of_the_tokens_that_spell_it() -> None:
    tokens = [("A", math.log(0.5)), (" A", math.log(0.25)), ("B", math.log(0.125)), ("a", -1.0)]
    a, b, c = word_losses(["A", "B", "C"], tokens)
    assert a == pytest.approx(-math.log(0.75)) and b == pytest.approx(-math.log(0.125))
    assert c == math.inf


@pytest.mark.parametrize("token", [" Yes", "\u0120Yes", "\u2581Yes", "\nYes", "Yes ", "Yes"])
def test_a_space_before_a_token_does_not_count(token: str) -> None:
    assert word_losses(["Yes", "No"], [(token, -0.5)]) == [0.5, math.inf]


def test_a_longer_word_is_known_by_its_longest_beginning_that_is_its_own() -> None:
    tokens = [("t", -3.0), ("tur", -0.2), ("r", -2.0), ("ro", -4.0), ("turquoises", -0.1)]
    assert word_losses(["turquoise", "red", "rose"], tokens) == [0.2, math.inf, 4.0]


def test_a_token_that_spells_a_word_whole_counts_even_if_it_begins_another() -> None:
    assert word_losses(["in", "inside"], [("in", -0.5), ("ins", -1.0)]) == [0.5, 1.0]


def test_only_the_first_word_of_an_answer_decides() -> None:
    assert word_losses(["on the left", "under it"], [("on", -0.25)]) == [0.25, math.inf]


def test_what_is_impossible_is_infinite_and_certainty_is_zero() -> None:
    assert word_losses(["A", "B"], [("A", -math.inf), ("B", 1e-9)]) == [math.inf, 0.0]
    assert word_losses(["A"], []) == [math.inf]
    assert word_losses(["A"], [("", -0.1), (" ", -0.1)]) == [math.inf]


def test_words_of_any_script() -> None:
    assert word_losses(["да", "нет"], [(" да", -0.5), ("н", -1.0)]) == [0.5, 1.0]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["the red one", "the blue one"], "begin with the same token"),
        (["A", " A"], "begin with the same token"),
        (["A", " "], "an empty answer"),
    ],
)
def test_words_that_cannot_be_told_apart_are_refused(words: list[str], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        word_losses(words, [("A", -1.0)])
