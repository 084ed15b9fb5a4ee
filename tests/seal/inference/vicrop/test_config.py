from __future__ import annotations

import pytest

from seal.inference.vicrop.config import METHODS, ViCropConfig
from seal.inference.vicrop.windows import SCALES


def test_the_named_bundles_and_the_defaults_agree_with_the_windows():
    ours, released = ViCropConfig.named("default"), ViCropConfig.named("as_released")
    assert ours == ViCropConfig() and ours.guards and ours.view == "pad"
    assert not released.guards
    assert (released.view, released.general_floor) == ("as_released", 0.0)
    assert ours.scales == SCALES
    for method in METHODS:
        assert ViCropConfig.named("as_released", method=method).method == method


def test_scales_from_a_file_become_a_tuple():
    assert ViCropConfig(scales=[1, 1.5]).scales == (1, 1.5)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"method": "att"}, "method='att' is none of rel_att, grad_att, pure_grad"),
        ({"view": "cut"}, "view='cut' is none of pad, as_released"),
        ({"high_resolution": True}, "high_resolution=True is none of auto, on, off"),
        ({"layer": -1}, "layer=-1 must be at least 0"),
        ({"base_window": 1}, "base_window=1 must be at least 2 pixels"),
        ({"scales": []}, r"scales=\[\] must be at least 1"),
        ({"scales": [0.5, 1]}, "must be at least 1"),
        ({"scales": [1, 1]}, "each above the last"),
        ({"tile_threshold": 0}, "tile_threshold=0 must be at least 1 pixel"),
        ({"block": 0}, "block=0 must be at least 1 pixel"),
        ({"general_floor": 2.0}, r"general_floor=2.0 is not in \[0, 1\]"),
        ({"smoothing": -1.0}, "smoothing=-1.0 must be at least 0"),
        ({"high_pass_sigma": 0.0}, "high_pass_sigma=0.0 must be above 0"),
        ({"general_question": " "}, "general_question must not be empty"),
    ],
)
def test_wrong_settings_are_named_with_their_rule(wrong, says):
    with pytest.raises(ValueError, match=says):
        ViCropConfig(**wrong)


def test_an_unknown_bundle_is_named():
    with pytest.raises(ValueError, match="protocol='mine'; known: default, as_released"):
        ViCropConfig.named("mine")
