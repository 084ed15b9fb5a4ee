"""Groups count alike, whatever their size."""

from __future__ import annotations

import numpy as np
import pytest

from seal.metrics.intervals import mean, proportion
from seal.metrics.strata import mean_of_means


def test_the_mean_of_means_is_that_of_each_group() -> None:
    values, strata = [1, 0, 0, 0, 1, 1], ["a", "a", "a", "a", "b", "b"]
    found = mean_of_means(values, strata)
    assert found.value == (0.25 + 1) / 2 and found.n == 6
    assert found.low is not None and found.high is not None
    assert found.low < found.value < found.high


def test_groups_of_one_size_give_the_plain_mean_and_interval() -> None:
    rng = np.random.default_rng(0)
    values = [float(v) for v in rng.random(400) < 0.4]
    strata = [i % 4 for i in range(400)]
    clusters = [i // 4 for i in range(400)]
    found, plain = (
        mean_of_means(values, strata, clusters=clusters, seed=3),
        mean(values, clusters=clusters, seed=3),
    )
    assert found.value == sum(values) / 400
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), abs=0.006)
    again = mean_of_means(values, strata, clusters=clusters, seed=3)
    assert again == found


def test_where_all_are_alike_the_interval_still_says_how_many_there_are() -> None:
    found = mean_of_means([1.0] * 8, ["a", "b"] * 4, clusters=[0, 0, 1, 1, 2, 2, 3, 3])
    assert found == proportion([True] * 8, clusters=[0, 0, 1, 1, 2, 2, 3, 3])
    assert found.low is not None and found.low < 0.6


def test_no_item_has_no_mean_and_one_cluster_no_interval() -> None:
    assert mean_of_means([], []).value is None
    alone = mean_of_means([1.0, 0.0], ["a", "a"], invalid=2, clusters=["x", "x"])
    assert (alone.value, alone.low, alone.invalid) == (0.5, None, 2)
