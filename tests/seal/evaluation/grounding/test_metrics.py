"""Boxes and masks of expressions are judged as validation in training judges them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mixed_batches import vsm_sample

from seal.batch import Mask, Target, VSMOutput
from seal.data.collate import collate
from seal.data.masks import mask_to_rle
from seal.evaluation.grounding.metrics import grounding_metrics
from seal.search.logit_heat import LogitHeat
from seal.training.validate import search_metrics, search_sums

WIDTH, HEIGHT = 60, 40


def line(
    name="a", *, box=None, truth=((0, 0, 10, 10),), mask=None, said=None, source="refcoco", **more
):
    answer = {"box": box, "score": 0.5, "mask": None if said is None else mask_to_rle(said)}
    return {
        "id": name, "masks": said is not None, "error": None, "answer": answer,
        "referred": {
            "image": more.pop("image", name), "source": source, "boxes": [list(b) for b in truth],
            "mask": None if mask is None else mask_to_rle(mask),
        },
        **more,
    }  # fmt: skip


def square(x0, y0, x1, y1):
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[y0:y1, x0:x1] = True
    return mask


@pytest.mark.parametrize("seed", range(3))
def test_the_numbers_are_those_of_validation_in_training(seed):
    generator = torch.Generator().manual_seed(seed)
    batch = collate([vsm_sample(5, generator)], pad_id=0)
    targets, lines = [], []
    logits = torch.randn(5, 8, 8, generator=generator)
    scores = torch.randn(5, 6, generator=generator)
    boxes = torch.rand(5, 6, 4, generator=generator) * 0.4 + 0.3  # cxcywh, over the picture
    for i in range(5):
        truth = boxes[i, int(torch.randint(6, (1,), generator=generator))] + 0.02
        mask = torch.rand(HEIGHT, WIDTH, generator=generator) > 0.5
        targets.append(Target(truth[None], Mask.pack(mask.float())))
        best = boxes[i, scores[i].argmax()]
        said = LogitHeat(logits[i].numpy(), WIDTH, HEIGHT).to_numpy() > 0
        lines.append(
            line(str(i), box=pixels(best), truth=[pixels(truth)], mask=mask.numpy(), said=said)
        )
    batch.targets = targets
    output = VSMOutput(torch.zeros(0, 5), scores, boxes, logits)
    trained = search_metrics(search_sums(batch, output))
    found = grounding_metrics(lines)["refcoco"]
    assert found["box_accuracy"]["value"] == pytest.approx(trained["box_accuracy"])
    assert found["cIoU"]["value"] == pytest.approx(trained["cIoU"])
    assert found["gIoU"]["value"] == pytest.approx(trained["gIoU"])


def pixels(box):
    x, y, width, height = (float(v) for v in box)
    corners = x - width / 2, y - height / 2, x + width / 2, y + height / 2
    return [corner * side for corner, side in zip(corners, (WIDTH, HEIGHT) * 2, strict=True)]


def test_a_box_is_a_hit_if_it_is_on_any_of_the_things_that_are_meant():
    lines = [
        line("a", box=[0, 0, 10, 10]),
        line("b", box=[0, 0, 10, 4]),  # IoU 0.4
        line("c", box=None),  # nothing was seen
        line("d", box=[20, 20, 30, 30], truth=[(0, 0, 10, 10), (20, 20, 30, 31)]),
    ]
    of = grounding_metrics(lines)["refcoco"]
    assert (of["box_accuracy"]["value"], of["box_accuracy"]["n"]) == (0.5, 4)
    assert of["box_iou"]["value"] == pytest.approx((1 + 0.4 + 0 + 10 / 11) / 4)
    assert "cIoU" not in of  # no mask was asked for


def test_large_masks_count_more_in_ciou_and_all_the_same_in_giou():
    small, large = square(0, 0, 2, 2), square(10, 10, 50, 30)
    lines = [line("a", mask=small, said=~small & False), line("b", mask=large, said=large)]
    of = grounding_metrics(lines)["refcoco"]
    assert of["cIoU"]["value"] == pytest.approx(800 / 804)
    assert of["gIoU"]["value"] == 0.5


def test_an_image_that_does_not_open_is_a_miss_of_all_its_expressions():
    mask = square(0, 0, 10, 10)
    lines = [
        line("a", box=[0, 0, 10, 10], mask=mask, said=mask),
        {**line("b", mask=mask, said=mask), "answer": None, "error": "b.png: damaged"},
    ]
    of = grounding_metrics(lines)["refcoco"]
    assert (of["box_accuracy"]["value"], of["box_accuracy"]["invalid"]) == (0.5, 1)
    assert (of["cIoU"]["value"], of["gIoU"]["value"], of["gIoU"]["invalid"]) == (0.5, 0.5, 1)


def test_what_is_not_annotated_is_not_judged():
    mask = square(0, 0, 10, 10)
    lines = [line("a", truth=[], mask=mask, said=mask), line("b", box=[0, 0, 10, 10], said=mask)]
    of = grounding_metrics(lines)["refcoco"]
    assert of["box_accuracy"]["n"] == of["cIoU"]["n"] == 1
    assert of["box_accuracy"]["value"] == of["cIoU"]["value"] == 1


def test_data_sets_are_told_apart_and_images_resampled_whole():
    right, wrong = [0, 0, 10, 10], [30, 30, 40, 40]
    lines = [
        line(f"{i}{j}", box=right if i % 2 else wrong, image=str(i), source=source)
        for source in ("refcoco", "refcocog") for i in range(6) for j in range(4)
    ]  # fmt: skip
    of = grounding_metrics(lines)
    assert list(of) == ["refcoco", "refcocog", "overall"]
    assert of["refcoco"]["box_accuracy"]["n"] == 24 and of["overall"]["box_accuracy"]["n"] == 48
    alone = grounding_metrics([{**x, "referred": {**x["referred"], "image": x["id"]}}
                               for x in lines[:24]])["refcoco"]["box_accuracy"]  # fmt: skip
    together = of["refcoco"]["box_accuracy"]
    assert together["high"] - together["low"] > alone["high"] - alone["low"]
