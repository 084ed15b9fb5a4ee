from __future__ import annotations

import numpy as np
import pytest

from seal.metrics.masks import ciou, giou, overlap


def test_overlap_counts_pixels():
    predicted = np.array([[1, 1, 0], [0, 0, 0]])
    truth = np.array([[0, 1, 1], [0, 0, 0]])
    assert overlap(predicted, truth) == (1, 3)


def test_ciou_weighs_by_size_and_giou_does_not():
    overlaps = [(1, 2), (90, 100)]
    assert ciou(overlaps).value == pytest.approx(91 / 102)
    assert giou(overlaps).value == pytest.approx((0.5 + 0.9) / 2)


def test_an_empty_prediction_of_an_empty_mask_is_right():
    assert giou([(0, 0)]).value == 1.0


def test_masks_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match="different sizes"):
        overlap(np.zeros((2, 3)), np.zeros((3, 2)))
