"""Wrong numbers are refused with the rule; right ones mean what the paper says."""

from __future__ import annotations

import pytest
from golden_files import each_golden

from seal.geometry import Box
from seal.search.config import SearchConfig


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"confidence_low": 0.6}, "confidence_low <= confidence_high"),
        ({"confidence_high": 1.5}, "<= 1"),
        ({"instance_threshold": -0.1}, "instance_threshold"),
        ({"nms_iou": 0.0}, "null switches it off"),
        ({"cue_threshold_decay": 0}, "cue_threshold_decay"),
        ({"min_size": 0}, "min_size >= 1"),
        ({"min_size_scale": 0}, "min_size_scale > 0"),
        ({"use_target_cue": False, "use_contextual_cue": False}, "sequential_bfs"),
    ],
)
def test_wrong_numbers_are_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        SearchConfig(**wrong)


def test_the_cue_threshold_decays_to_its_floor():
    thresholds = [SearchConfig().cue_threshold_at(depth) for depth in (1, 2, 3, 9)]
    assert thresholds == pytest.approx([6.0, 4.2, 3.0, 3.0])


@pytest.mark.goldens("splits")
def test_the_leaf_size_equals_the_original():
    for case in each_golden("splits", "smallest_size"):
        config = SearchConfig(
            min_size=case["minimum_size"], min_size_scale=case["minimum_size_scale"]
        )
        assert config.leaf_size(*case["wh"]) == case["smallest"]


def test_a_region_at_the_leaf_size_is_a_leaf_and_one_above_is_not():
    config = SearchConfig(min_size=100, min_size_scale=4)
    assert config.is_leaf(Box(0, 0, 100, 300), 400, 400)
    assert not config.is_leaf(Box(0, 0, 101, 300), 400, 400)
