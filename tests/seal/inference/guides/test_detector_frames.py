"""A box drawn at a known place is taught there and found there, however the detector looks."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from mixed_batches import vsm_sample
from PIL import Image, ImageDraw
from record_sets import search_record, tiny_tokenizer, write_set
from tiny_models import noise, tokenizer, vsm_model
from torch import Tensor

from seal.data.collate import collate
from seal.data.grounding import GroundingConfig
from seal.data.masks import mask_to_rle
from seal.data.record_set import Expression
from seal.geometry import Box
from seal.inference.guides.seal_vsm import NetworkSearchModel
from seal.losses.vsm import mask_losses
from seal.models.parts.owlvit import OwlViTConfig
from seal.search.protocol import Detections, Heat, Patch, Query
from seal.text.tokens import VisualSizes
from seal.training.validate import predicted_mask

SIZES = [(200, 120), (90, 210), (151, 97), (64, 64)]  # landscape, portrait, odd, square
SIDE = 240  # pixels of the detector's square
RED = (250, 10, 10)


def drawn_box(width: int, height: int) -> Box:
    return Box(width * 5 // 10, height * 4 // 10, width * 8 // 10, height * 9 // 10)


def taught(folder, width: int, height: int, family: str):
    """The sample of a picture with one red box, as training sees it."""
    box = drawn_box(width, height)
    image = Image.new("RGB", (width, height), (10, 200, 10))
    ImageDraw.Draw(image).rectangle((box.x0, box.y0, box.x1 - 1, box.y1 - 1), fill=RED)
    mask = (np.asarray(image)[..., 0] > 128).astype(np.uint8)
    expression = Expression("box", (box,), mask_to_rle(mask))
    records = write_set(folder, [search_record("s", expression, width=width, height=height)])
    image.save(folder / "images" / "s.png")
    data = GroundingConfig().build(
        records,
        tiny_tokenizer(folder / "tokenizer"),
        image_size=14,
        detector_size=SIDE,
        sizes=VisualSizes(6, 2),
        detector_fit=OwlViTConfig(family=family).fit,
    )
    return box, image, data[0]


def told_by(
    family: str, image: Image.Image, boxes: Tensor, masks: Tensor
) -> tuple[Detections, Heat]:
    """What the search is told where the network predicts these boxes and mask logits."""
    config = vsm_model().config
    detector = dataclasses.replace(config.detector, family=family)
    model = dataclasses.replace(config, detector=detector).build().eval()
    model.detector.predict_boxes = lambda features: boxes[None]
    model.detector.predict_logits = lambda features, queries: torch.arange(len(boxes))[None] / 1.0
    model.decode_masks = lambda features, states, image=None: masks[None]
    query = Query("detect", Patch(image, Box(0, 0, *image.size)), "box")
    search_model = NetworkSearchModel(model, tokenizer())
    (found,), (heat,) = search_model.detect([query]), search_model.target_heat([query])
    return found, heat


@pytest.mark.parametrize("family", ["owlvit", "owlv2"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_box_is_where_it_was_drawn_in_pixels_targets_and_answers(size, family, tmp_path):
    box, image, sample = taught(tmp_path, *size, family)
    (target,) = sample.targets
    assert target.boxes is not None and sample.detector_image is not None
    cx, cy, w, h = (SIDE * target.boxes[0]).tolist()
    red = (sample.detector_image[0] > 128) & (sample.detector_image[1] < 100)
    rows, columns = red.any(1).nonzero(), red.any(0).nonzero()
    seen = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    assert np.allclose(seen, (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2), atol=1.0)
    found, _ = told_by(family, image, target.boxes, torch.zeros(16, 16))
    answered = found.boxes[0]
    assert np.allclose(answered, (box.x0, box.y0, box.x1, box.y1), atol=1e-3)


@pytest.mark.parametrize("family", ["owlvit", "owlv2"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_heat_is_where_the_mask_was_taught_and_padding_is_cut_off(size, family, tmp_path):
    box, image, sample = taught(tmp_path, *size, family)
    (target,) = sample.targets
    assert target.mask is not None and sample.detector_image is not None
    # A network that paints the red of its own picture, and nonsense over the padding.
    picture = sample.detector_image.float()
    logits = torch.where((picture[0] > 128) & (picture[1] < 100), 20.0, -20.0)
    across, down = (round(SIDE * share) for share in target.extent)
    logits[:, across:], logits[down:] = 20.0, 20.0
    bce, dice = mask_losses(logits[None], [target])
    assert float(bce) < 0.5 and float(dice) < 0.05
    predicted = predicted_mask(logits, target.mask.unpack(), target.extent)
    union = (predicted | target.mask.unpack().bool()).sum()
    assert (predicted & target.mask.unpack().bool()).sum() / union > 0.93
    _, heat = told_by(family, image, torch.full((1, 4), 0.2), logits)
    assert heat.to_numpy().shape == (image.height, image.width)
    grown = Box(max(0, box.x0 - 2), max(0, box.y0 - 2), box.x1 + 2, box.y1 + 2)
    (share,) = heat.shares([grown])
    assert share > 0.97


def test_a_candidate_in_the_padding_never_wins_and_boxes_end_with_the_picture():
    image = noise(200, 100)
    boxes = torch.tensor(
        [[0.9, 0.4, 0.4, 0.4], [0.5, 0.25, 0.2, 0.2], [0.5, 0.6, 0.2, 0.2], [0.5, 0.95, 0.3, 0.1]]
    )
    found, _ = told_by("owlv2", image, boxes, torch.zeros(16, 16))
    assert found.scores[2] == found.scores[3] == 0.0 and found.scores[1] > found.scores[0] > 0
    assert np.allclose(found.boxes[0], (140, 40, 200, 100))
    stretched, _ = told_by("owlvit", image, boxes, torch.zeros(16, 16))
    assert stretched.scores.argmax() == 3
    assert np.allclose(stretched.boxes[1], (80, 15, 120, 35), atol=1e-4)


def test_a_batch_carries_how_much_of_the_square_is_picture_to_its_device():
    sample = vsm_sample(2, torch.Generator().manual_seed(0))
    targets = tuple(dataclasses.replace(target, extent=(1.0, 0.5)) for target in sample.targets)
    batch = collate([dataclasses.replace(sample, targets=targets)], pad_id=0).to("cpu")
    assert [target.extent for target in batch.targets] == [(1.0, 0.5)]
