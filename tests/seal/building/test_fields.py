from __future__ import annotations

from typing import Any

import pytest

from seal.building.fields import box_inside
from seal.geometry import Box


@pytest.mark.parametrize(
    ("xywh", "inside"),
    [
        ([-5, -5, 10, 10], Box(0, 0, 5, 5)),
        ([50.5, "30", 20, 20], Box(50.5, 30, 60, 40)),
        ([70, 5, 5, 5], None),
        ([5, 5, 0, 9], None),
        ([5, 5, -3, 9], None),
    ],
)
def test_boxes_end_at_the_border(xywh: Any, inside: Box | None) -> None:
    assert box_inside(xywh, 60, 40) == inside


@pytest.mark.parametrize(
    "xywh", [[1, 2, 3], [1, 2, 3, 4, 5], ["a", 1, 2, 3], [0, 0, "nan", 1], [0, 0, 1e400, 1], None]
)
def test_a_box_is_four_finite_numbers(xywh: Any) -> None:
    with pytest.raises(ValueError, match="instance_bbox"):
        box_inside(xywh, 60, 40, "instance_bbox")
