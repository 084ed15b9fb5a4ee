from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seal.metrics.intervals import bootstrap, mean, proportion, ratio, wilson


def test_wilson_agrees_with_published_values():
    # Newcombe (1998), table I, method 3.
    for successes, n, low, high in [
        (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ]:  # fmt: skip
        assert wilson(successes, n) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 3000), st.data())
def test_a_wilson_interval_holds_the_share_and_mirrors(n, data):
    successes = data.draw(st.integers(0, n))
    low, high = wilson(successes, n)
    assert 0 <= low <= successes / n <= high <= 1
    assert wilson(n - successes, n) == pytest.approx((1 - high, 1 - low))


def test_half_width_at_the_published_accuracy_is_about_six_points():
    low, high = wilson(144, 191)
    assert (high - low) / 2 == pytest.approx(0.061, abs=0.001)


def test_invalid_items_stay_in_n_of_a_proportion_and_out_of_n_of_a_mean():
    assert proportion([True, False, False], invalid=1).to_dict() == pytest.approx(
        {"value": 1 / 3, "n": 3, "invalid": 1, "low": wilson(1, 3)[0], "high": wilson(1, 3)[1]}
    )
    assert (mean([2.0, 4.0], invalid=3).n, mean([2.0, 4.0], invalid=3).invalid) == (2, 3)


@pytest.mark.parametrize("metric", [proportion([]), mean([]), ratio([], [])])
def test_no_item_gives_no_value_instead_of_a_zero(metric):
    assert (metric.value, metric.n, metric.low, metric.high) == (None, 0, None, None)


def test_one_item_says_nothing_about_its_spread():
    assert (mean([3.0]).value, mean([3.0]).low, mean([3.0]).high) == (3.0, None, None)


def test_a_bootstrap_interval_covers_the_true_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        metric = bootstrap(
            rng.exponential(2.0, (60, 1)), lambda m: m[..., 0], seed=trial, resamples=500
        )
        covered += metric.low <= 2.0 <= metric.high
    assert 0.88 <= covered / 200 <= 0.98


def test_the_seed_fixes_the_interval():
    values = list(np.random.default_rng(1).random(40))
    assert mean(values, seed=4) == mean(values, seed=4)
    assert mean(values, seed=4) != mean(values, seed=5)


def test_chunked_resampling_keeps_every_resample(monkeypatch):
    values = np.arange(50.0)[:, None]
    whole = bootstrap(values, lambda m: m[..., 0], seed=2, resamples=100)
    monkeypatch.setattr("seal.metrics.intervals._DRAWS_AT_ONCE", 50 * 7)
    assert bootstrap(values, lambda m: m[..., 0], seed=2, resamples=100) == whole


def test_a_ratio_weighs_items_by_their_size():
    assert ratio([1, 90], [2, 100]).value == pytest.approx(91 / 102)


def shared(num_clusters, size, seed):
    """Values of which each cluster shares nearly all: (clusters * size,), and their clusters."""
    rng = np.random.default_rng(seed)
    base = rng.random(num_clusters).repeat(size)
    return list(base + 0.01 * rng.random(num_clusters * size)), [
        i // size for i in range(len(base))
    ]


def test_clusters_of_one_item_each_change_nothing():
    values = list(np.random.default_rng(3).random(50))
    names = [f"image {i}" for i in range(50)]
    assert mean(values, clusters=names, seed=1) == mean(values, seed=1)
    assert ratio(values, values, clusters=names) == ratio(values, values)
    outcomes = [value > 0.3 for value in values]
    assert proportion(outcomes, clusters=names) == proportion(outcomes)


def test_copies_of_an_item_are_no_evidence():
    rng = np.random.default_rng(5)
    once = list(rng.random(60))
    outcomes = [value > 0.4 for value in once]
    for metric, copied in [
        (mean(once), mean(once * 8, clusters=list(range(60)) * 8)),
        (
            proportion(outcomes, clusters=range(60)),
            proportion(outcomes * 8, clusters=list(range(60)) * 8),
        ),
    ]:
        assert copied.value == pytest.approx(metric.value)
        assert copied.n == 480
        assert copied.high - copied.low == pytest.approx(metric.high - metric.low, rel=0.12)


@pytest.mark.parametrize("sizes", [[4] * 40, [1, 7] * 20])
def test_a_clustered_interval_covers_where_an_item_wise_one_does_not(sizes):
    clusters = np.arange(len(sizes)).repeat(sizes)
    rng = np.random.default_rng(0)
    covered = {"clustered": 0, "by item": 0}
    for trial in range(200):
        items = (rng.normal(0, 1, len(sizes))[clusters] + 0.3 * rng.normal(size=len(clusters)))[
            :, None
        ]
        for name, groups in (("clustered", clusters), ("by item", None)):
            metric = bootstrap(
                items, lambda m: m[..., 0], clusters=groups, seed=trial, resamples=400
            )
            covered[name] += metric.low <= 0.0 <= metric.high
    assert covered["clustered"] / 200 >= 0.88
    assert covered["by item"] / 200 <= 0.75


def test_all_right_in_few_images_is_less_sure_than_in_as_many_images_as_questions():
    metric = proportion([True] * 60, clusters=[i // 6 for i in range(60)])
    assert (metric.value, metric.n, metric.high) == (1.0, 60, 1.0)
    assert metric.low == wilson(10, 10)[0] < proportion([True] * 60).low
    assert proportion([False] * 60, clusters=[i // 6 for i in range(60)]).low == 0.0


def test_a_single_cluster_says_nothing_about_the_spread():
    assert (mean([1.0, 2.0], clusters="aa").value, mean([1.0, 2.0], clusters="aa").low) == (
        1.5,
        None,
    )


def test_every_item_belongs_to_a_cluster():
    with pytest.raises(ValueError, match="2 clusters of 3 items"):
        mean([1.0, 2.0, 3.0], clusters=["a", "b"])
