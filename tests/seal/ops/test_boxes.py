"""Box arithmetic: the reference's numbers, then what holds for all boxes."""

from __future__ import annotations

import ast
import re

import numpy as np
import pytest
import torch
from golden_files import counted, golden_json, golden_tensors
from scripted_search import patch_boxes

from seal.losses.detection import l1_loss
from seal.ops.boxes import (
    box_area,
    box_cxcywh_to_xyxy,
    box_iou,
    box_xyxy_to_cxcywh,
    generalized_box_iou,
)

CLOSE = {"atol": 1e-5, "rtol": 1e-5}


def some_boxes(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator)
    return torch.cat([corner, corner + 0.05 + torch.rand(count, 2, generator=generator)], dim=1)


@pytest.mark.goldens("losses")
def test_box_arithmetic_equals_the_reference():
    stored = golden_tensors("losses")
    prefixes = sorted({key.split(".")[0] for key in stored if key.startswith("box")})
    assert prefixes
    for prefix in counted(prefixes):
        check_pairs({k.removeprefix(prefix + "."): v for k, v in stored.items()})


def check_pairs(t):
    a_xyxy, b_xyxy = box_cxcywh_to_xyxy(t["a"]), box_cxcywh_to_xyxy(t["b"])
    torch.testing.assert_close(a_xyxy, t["a_xyxy"], **CLOSE)
    torch.testing.assert_close(box_xyxy_to_cxcywh(a_xyxy), t["a_back"], **CLOSE)
    pairs = a_xyxy[:, None], b_xyxy[None]
    torch.testing.assert_close(box_iou(*pairs), t["iou"], **CLOSE)
    torch.testing.assert_close(generalized_box_iou(*pairs), t["giou"], **CLOSE)
    union = (box_area(pairs[0]) + box_area(pairs[1])) / (1 + t["iou"])
    torch.testing.assert_close(union, t["union"], **CLOSE)
    every = (len(t["a"]), len(t["b"]))
    ours = [x.expand(*every, 4).flatten(0, 1) for x in (t["a"][:, None], t["b"][None])]
    torch.testing.assert_close(l1_loss(*ours).reshape(every), t["cdist_l1"], **CLOSE)


@pytest.mark.goldens("losses")
def test_boxes_without_area_overlap_as_in_the_reference():
    """A box of no size with itself is 0 / 0 there, and here too."""
    lists = re.findall(r"\[\[.*?\]\]", golden_json("losses")["zero_area"])
    a, b = (torch.tensor(ast.literal_eval(text)) for text in lists)
    ours = generalized_box_iou(a[:, None], b[None])
    wanted = golden_tensors("losses")["zero_area.giou"]
    torch.testing.assert_close(ours, wanted, equal_nan=True, **CLOSE)


@pytest.mark.goldens("splits")
def test_formats_and_pixels_equal_the_reference():
    t = golden_tensors("splits")
    torch.testing.assert_close(box_cxcywh_to_xyxy(t["cxcywh.in"]), t["cxcywh.to_xyxy"], **CLOSE)
    back = box_xyxy_to_cxcywh(t["cxcywh.to_xyxy"])
    torch.testing.assert_close(back, t["xyxy_to_cxcywh"], **CLOSE)
    for key in counted(key for key in t if key.startswith("cxcywh.rescaled_")):
        size = [int(side) for side in key.removeprefix("cxcywh.rescaled_").split("x")]
        scaled = patch_boxes(t["cxcywh.in"].numpy(), *size)
        np.testing.assert_allclose(scaled, t[key].numpy(), rtol=1e-5, atol=1e-5 * max(size))


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
