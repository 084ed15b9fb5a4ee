from __future__ import annotations

from seal.geometry import Box
from seal.metrics.boxes import best_iou, is_hit


def test_a_hit_needs_more_than_half():
    truth = Box(0, 0, 2, 1)
    assert not is_hit(Box(0, 0, 1, 1), [truth])  # exactly half
    assert is_hit(Box(0, 0, 1.1, 1), [truth])


def test_any_true_box_will_do_and_none_never_does():
    box = Box(0, 0, 10, 10)
    assert is_hit(box, [Box(50, 50, 60, 60), Box(1, 1, 10, 10)])
    assert not is_hit(box, [])
    assert not is_hit(None, [box])
    assert best_iou(None, [box]) == 0
