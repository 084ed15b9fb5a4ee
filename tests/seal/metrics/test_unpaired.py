"""Differences from published numbers: Newcombe's own examples, then what must hold."""

from __future__ import annotations

import pytest

from seal.metrics.intervals import proportion
from seal.metrics.unpaired import difference_from, wilson_of_share


def metric(successes, n):
    return proportion([True] * successes + [False] * (n - successes)).to_dict()


# Newcombe (1998), table II, method 10: 56/70 - 48/80, 9/10 - 3/10, 6/7 - 2/7, 5/56 - 0/29.
@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
    ],
)
def test_the_interval_of_two_proportions_is_newcombes(first, second, low, high):
    found = difference_from(metric(*first), second[0] / second[1], n=second[1])
    assert found[0] == pytest.approx(first[0] / first[1] - second[0] / second[1])
    assert found[1:] == pytest.approx((low, high), abs=5e-5)


def test_a_number_of_unknown_origin_is_taken_as_exact():
    own = metric(40, 50)
    value, low, high = difference_from(own, 0.5)
    assert (low + 0.5, high + 0.5) == pytest.approx((own["low"], own["high"]))
    assert value == pytest.approx(0.3)
    wide = difference_from(own, 0.5, n=50)
    assert wide[1] < low and wide[2] > high


def test_a_metric_without_limits_has_a_difference_without_limits():
    assert difference_from({"value": 0.5, "low": None, "high": None}, 0.25) == (0.25, None, None)


def test_a_share_that_is_none_is_refused():
    with pytest.raises(ValueError, match="no share of 191"):
        wilson_of_share(75.39, 191)
