from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seal.evaluation.judging import (
    Choice,
    by_letter,
    by_likelihood,
    by_words,
    presented_order,
)
from seal.text.letters import letter_question

COLORS = ["The mug is red.", "The mug is blue.", "The mug is green."]


@given(st.lists(st.floats(0, 10), min_size=1, max_size=6), st.data())
def test_likelihood_ignores_position(losses, data):
    order = data.draw(st.permutations(range(len(losses))))
    moved = by_likelihood([losses[i] for i in order])
    straight = by_likelihood(losses)
    assert moved.tie == straight.tie
    if not straight.tie:
        assert order[moved.option] == straight.option


def test_a_tie_at_the_best_score_chooses_nothing_and_one_elsewhere_does_not_matter():
    assert by_likelihood([0.5, 0.5, 0.9]) == Choice(None, tie=True)
    assert by_likelihood([0.5, 0.9, 0.9]) == Choice(0)


@pytest.mark.parametrize("losses", [[], [0.1, float("nan")]])
def test_losses_that_say_nothing_are_invalid(losses):
    assert by_likelihood(losses) == Choice(None, invalid=True)


def test_the_presented_order_depends_on_seed_and_question_alone():
    orders = [presented_order(4, f"q{i}", 0) for i in range(200)]
    assert orders == [presented_order(4, f"q{i}", 0) for i in range(200)]
    assert orders != [presented_order(4, f"q{i}", 1) for i in range(200)]
    firsts = [order[0] for order in orders]
    assert all(30 < firsts.count(i) < 75 for i in range(4))  # the true option stands anywhere


def test_a_letter_is_read_back_to_the_option_it_stood_for():
    for order in permutations(range(3)):
        question = letter_question("Which?", COLORS, order)
        place = question.index(COLORS[1])
        letter = question[place - 3 : place - 1][0]
        assert by_letter(letter, COLORS, order) == Choice(1)


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("B", 1), ("(B)", 1), ("B.", 1), (" B) it is blue", 1), ("(B) The mug is blue.", 1),
        ("The answer is (C).", 2), ("The mug is red.", 0), ("It is (A) or (B)", None),
        ("A\nThe mug is blue.", 0), ("B\nThe mug.", 1), ("B \r\nas I see it", 1),
        ("Answer: B", 1), ("answer is: C", 2), ("The answer is B, surely", 1), ("Answer:\nC", 2),
        ("ANSWER B", 1), ("**B**", 1), ("The answer is **B. blue**", 1),
        ("Answer: A mug", None), ("The answer is Dark", None),
        ("D", None), ("A mug", None), ("As I see it", None), ("", None), ("Sorry", None),
    ],
)  # fmt: skip
def test_letters_are_found_where_models_put_them(text, option):
    choice = by_letter(text, COLORS, [0, 1, 2])
    assert choice == (Choice(option) if option is not None else Choice(None, invalid=True))


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("A, B, C", None), ("A\nB", None), ("(A) (B) (C)", None), ("A) or B)", None), ("B, B", 1),
        ("A. The mug is red.\nB. The mug is blue.\nC. The mug is green.", None),
        ("(A) The mug is red. (B) The mug is blue.", None),
        ("A. The mug is red.\nB. The mug is blue.\nThe answer is B.", 1),
        ("A. The mug is red, not blue.", 0), ("B. It is not A.", 1),
    ],
)  # fmt: skip
def test_who_names_several_options_chooses_none(text, option):
    choice = by_letter(text, COLORS, [0, 1, 2])
    assert choice == (Choice(option) if option is not None else Choice(None, invalid=True))


def test_a_letter_alone_on_its_line_counts_before_the_words_behind_it():
    said = "A\nBecause the shirt is blue"
    assert by_letter(said, ["red", "blue"], [0, 1]) == Choice(0)


@pytest.mark.parametrize(
    ("text", "options", "option"),
    [
        ("the mug is BLUE", COLORS, 1),
        ("I think the mug is green. Yes.", COLORS, 2),
        ("blue", ["red", "blue"], 1),
        ("dark red", ["red", "dark red"], 1),
        ("It is dark red.", ["red", "dark red"], 1),
        ("red or blue", ["red", "blue"], None),
        ("reddish", ["red", "blue"], None),
    ],
)
def test_words_count_if_they_point_at_one_option(text, options, option):
    assert by_words(text, options).option == option
    assert by_words(text, options).invalid == (option is None)
