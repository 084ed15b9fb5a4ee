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
