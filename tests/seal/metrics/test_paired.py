from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from seal.metrics.paired import compare, mcnemar, paired_difference


@given(st.integers(0, 200), st.integers(0, 200))
def test_mcnemar_is_the_exact_binomial_test_of_the_discordant_pairs(only_first, only_second):
    n = only_first + only_second
    expected = binomtest(only_first, n).pvalue if n else 1.0
    assert mcnemar(only_first, only_second) == pytest.approx(expected, abs=1e-9)


def test_mcnemar_survives_thousands_of_pairs():
    assert mcnemar(3000, 3000) == 1.0
    assert 0 <= mcnemar(1000, 3000) < 1e-200


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
