"""Box arithmetic: the reference's numbers, then what holds for all boxes."""

from __future__ import annotations

import pytest
import torch
from golden_files import GOLDENS, golden_tensors, needs_goldens

from seal.ops.boxes import (
    box_area,
    box_cxcywh_to_xyxy,
    box_iou,
    box_xyxy_to_cxcywh,
    generalized_box_iou,
)

CLOSE = {"atol": 1e-5, "rtol": 1e-5}


def golden_boxes() -> list[str]:
    if not GOLDENS.is_dir():
        return []
    return sorted({key.split(".")[0] for key in golden_tensors("losses") if key.startswith("box")})


def some_boxes(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator)
    return torch.cat([corner, corner + 0.05 + torch.rand(count, 2, generator=generator)], dim=1)


@pytest.mark.goldens
@needs_goldens
@pytest.mark.parametrize("prefix", golden_boxes())
def test_box_arithmetic_equals_the_reference(prefix):
    t = {k.removeprefix(prefix + "."): v for k, v in golden_tensors("losses").items()}
    a_xyxy, b_xyxy = box_cxcywh_to_xyxy(t["a"]), box_cxcywh_to_xyxy(t["b"])
    torch.testing.assert_close(a_xyxy, t["a_xyxy"], **CLOSE)
    torch.testing.assert_close(box_xyxy_to_cxcywh(a_xyxy), t["a_back"], **CLOSE)
    pairs = a_xyxy[:, None], b_xyxy[None]
    torch.testing.assert_close(box_iou(*pairs), t["iou"], **CLOSE)
    torch.testing.assert_close(generalized_box_iou(*pairs), t["giou"], **CLOSE)
    union = (box_area(pairs[0]) + box_area(pairs[1])) / (1 + t["iou"])
    torch.testing.assert_close(union, t["union"], **CLOSE)


def test_formats_are_inverse():
    boxes = some_boxes(50)
    torch.testing.assert_close(box_cxcywh_to_xyxy(box_xyxy_to_cxcywh(boxes)), boxes)


def test_giou_is_one_for_equal_boxes_and_at_most_the_iou():
    a, b = some_boxes(60), some_boxes(60, seed=1)
    torch.testing.assert_close(generalized_box_iou(a, a), torch.ones(60))
    assert (generalized_box_iou(a, b) <= box_iou(a, b) + 1e-6).all()
    assert (generalized_box_iou(a, b) >= -1).all()


def test_giou_of_boxes_that_do_not_touch_falls_with_their_distance():
    box = torch.tensor([0.0, 0.0, 1.0, 1.0])
    others = torch.stack([box + torch.tensor([d, 0.0, d, 0.0]) for d in (2.0, 3.0, 9.0)])
    values = generalized_box_iou(box, others)
    assert (box_iou(box, others) == 0).all()
    assert (values.diff() < 0).all()
