from __future__ import annotations

import pytest

from seal.metrics.search_length import search_lengths

LENGTHS = {
    "guided": [2, 4, None, 6, 10],
    "random_bfs": [4, 8, 3, None, 10],
    "easy_only": [1, None, None, None, 1],
}


def test_own_hits_flatter_a_strategy_that_only_finds_what_is_easy():
    result = search_lengths(LENGTHS, "guided")
    assert result.own["guided"].value == pytest.approx(5.5)
    assert result.own["easy_only"].value == 1
    assert (result.own["easy_only"].n, result.own["easy_only"].invalid) == (2, 3)


def test_the_fair_comparison_is_over_targets_that_all_found():
    result = search_lengths(LENGTHS, "guided")
    assert {name: metric.value for name, metric in result.common.items()} == {
        "guided": 6, "random_bfs": 7, "easy_only": 1,
    }  # fmt: skip
    assert {metric.n for metric in result.common.values()} == {2}
    assert result.difference["random_bfs"].value == pytest.approx(1.0)
    assert "guided" not in result.difference


def test_no_common_target_gives_no_value():
    result = search_lengths({"a": [1, None], "b": [None, 2]}, "a")
    assert result.common["a"].value is None and result.difference["b"].value is None


def test_wrong_use_is_named():
    with pytest.raises(ValueError, match="no lengths of 'bfs'; there are a"):
        search_lengths({"a": [1]}, "bfs")
    with pytest.raises(ValueError, match="different targets"):
        search_lengths({"a": [1], "b": [1, 2]}, "a")


def test_targets_of_one_image_are_resampled_together():
    lengths = {"a": [1.0, 1, 9, 9] * 4, "b": [2.0, 2, 4, 4] * 4}
    alone = search_lengths(lengths, "a")
    together = search_lengths(lengths, "a", clusters=[i // 2 for i in range(16)])
    for name in ("own", "common"):
        first, second = getattr(alone, name)["a"], getattr(together, name)["a"]
        assert first.value == second.value == 5
        assert second.high - second.low > first.high - first.low  # half as much evidence
    wider = together.difference["b"].high - together.difference["b"].low
    assert wider > alone.difference["b"].high - alone.difference["b"].low
    with pytest.raises(ValueError, match="3 clusters of 16 targets"):
        search_lengths(lengths, "a", clusters=[1, 2, 3])
