from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from seal.metrics.intervals import wilson
from seal.metrics.paired import compare, mcnemar, paired_difference


@given(st.integers(0, 200), st.integers(0, 200))
def test_mcnemar_is_the_exact_binomial_test_of_the_discordant_pairs(only_first, only_second):
    n = only_first + only_second
    expected = binomtest(only_first, n).pvalue if n else 1.0
    assert mcnemar(only_first, only_second) == pytest.approx(expected, abs=1e-9)


def test_mcnemar_survives_thousands_of_pairs():
    assert mcnemar(3000, 3000) == 1.0
    assert 0 <= mcnemar(1000, 3000) < 1e-200


@pytest.mark.parametrize("sizes", [1, 4])
def test_systems_that_never_differed_may_differ_on_questions_not_asked(sizes):
    clusters = [number // sizes for number in range(40)]
    same = compare([1, 0] * 20, [1, 0] * 20, clusters=clusters).difference
    assert same.value == 0 and same.high == -same.low == wilson(0, 40 // sizes)[1] > 0.05
    best = compare([1] * 40, [0] * 40, clusters=clusters).difference
    assert (best.low, best.high) == (pytest.approx(1 - same.high), 1)
    assert compare([1, 0], [1, 0], clusters="aa").difference.low is None


def test_a_comparison_counts_who_alone_was_right():
    first = [True] * 8 + [False] * 2 + [True]
    second = [False] * 8 + [False, True] + [True]
    result = compare(first, second)
    assert (result.only_first, result.only_second) == (8, 1)
    assert result.difference.value == pytest.approx(7 / 11)
    assert result.p_value == pytest.approx(binomtest(8, 9).pvalue)
    swapped = compare(second, first)
    assert swapped.difference.value == pytest.approx(-7 / 11)
    assert swapped.p_value == result.p_value


def test_pairing_narrows_the_interval_of_correlated_systems():
    base = [float(i % 17) for i in range(100)]
    metric = paired_difference([b + 1 + (i % 2) for i, b in enumerate(base)], base)
    assert metric.value == pytest.approx(1.5)
    assert 1.39 < metric.low < 1.5 < metric.high < 1.61


def test_systems_on_different_items_are_refused():
    with pytest.raises(ValueError, match="same items on both sides: 2 and 1"):
        compare([True, False], [True])


def test_items_of_their_own_are_compared_by_mcnemar():
    first, second = [True] * 12 + [False] * 5, [False] * 9 + [True] * 8
    result = compare(first, second, clusters=range(17))
    assert (result.test, result.p_value) == ("mcnemar", mcnemar(9, 5))
    assert (result.clusters, result.design_effect) == (17, 1.0)
    assert result == compare(first, second)


def test_copies_of_a_question_do_not_make_a_difference_significant():
    first, second = [True] * 4 + [False] * 3, [False] * 4 + [False] * 3
    once = compare(first, second)
    many = compare(first * 10, second * 10, clusters=list(range(7)) * 10)
    assert many.mcnemar_p_value < 1e-9 < once.p_value
    assert (many.test, many.p_value) == ("sign_flip", once.p_value)
    assert many.clusters == 7
    assert many.design_effect == pytest.approx(10, rel=0.2)


def test_credits_between_right_and_wrong_are_compared_by_sign_flips():
    result = compare([0.9, 0.6, 0.3, 1.0], [0.3, 0.3, 0.3, 0.0])
    assert (result.only_first, result.only_second, result.mcnemar_p_value) == (3, 0, None)
    assert (result.test, result.p_value) == ("sign_flip", 2 / 8)


def test_two_systems_that_answer_alike_show_nothing():
    result = compare([True, False], [True, False], clusters=["a", "a"])
    assert (result.p_value, result.detectable) == (1.0, None)
    assert compare([], []).difference.value is None


def test_what_is_told_of_a_comparison_is_json():
    told = compare([1.0, 0.0, 1.0], [0.0, 0.0, 1.0], clusters=["a", "a", "b"]).to_dict()
    assert json.loads(json.dumps(told)) == told
    assert told["clusters"] == 2
