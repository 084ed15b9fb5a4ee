"""A box drawn at a known place comes back there, whatever was done to the picture."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from transformers.models.grounding_dino.image_processing_pil_grounding_dino import (
    GroundingDinoImageProcessorPil,
)
from transformers.models.owlv2.image_processing_pil_owlv2 import Owlv2ImageProcessorPil
from transformers.models.owlvit.image_processing_pil_owlvit import OwlViTImageProcessorPil

from seal.images import IMAGENET_COLORS
from seal.inference.guides.detector_pixels import LEAST_SIDE, Fit

LINEAR = Image.Resampling.BILINEAR
FITS = {
    "owlvit": Fit("stretch", 768),
    "owlv2": Fit("pad", 960, smooth=LINEAR),
    "grounding_dino": Fit("keep", 800, 1333, IMAGENET_COLORS, LINEAR),
}
SIZES = [(640, 480), (480, 640), (301, 97), (97, 301), (1600, 1201), (64, 64), (33, 900)]


def smooth_picture(width, height):
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 17), np.cos(y / 23), np.sin((x + y) / 31)]
    return Image.fromarray((127 + 100 * np.stack(waves, -1)).astype(np.uint8))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("family", FITS)
def test_a_box_drawn_on_the_picture_is_found_where_the_network_sees_it(family, size):
    width, height = size
    fit = FITS[family]
    drawn = np.array([width * 0.4, height * 0.55, width * 0.8, height * 0.95]).round()
    picture = Image.new("RGB", size)
    picture.paste((255, 255, 255), tuple(map(int, drawn)))
    bright = fit.pixels(picture)[1] > 0  # half way between black and white, about
    rows, columns = np.flatnonzero(bright.any(1)), np.flatnonzero(bright.any(0))
    low, high = np.array([columns[0], rows[0]]), np.array([columns[-1], rows[-1]]) + 1
    shown = bright.shape[::-1]
    seen = np.concatenate([(low + high) / 2, high - low]) / [*shown, *shown]
    boxes, inside = fit.to_patch(seen[None], width, height)
    assert inside.all()
    pixel = max(np.array(fit.frame(width, height)) / shown)  # of the network, in those of the patch
    np.testing.assert_allclose(boxes[0], drawn, atol=max(1.0, pixel))


def test_boxes_are_cut_at_the_patch_and_those_in_the_padding_left_out():
    boxes = np.array([[0.5, 0.2, 0.2, 0.8], [0.5, 0.8, 0.2, 0.2], [0.5, 0.2, 0.0, 0.0]])
    found, inside = FITS["owlv2"].to_patch(boxes, 200, 100)
    assert inside.tolist() == [True, False, True]
    np.testing.assert_allclose(found, [[80, 0, 120, 100], [100, 40, 100, 40]], atol=1e-4)
    found, inside = FITS["owlvit"].to_patch(boxes, 200, 100)
    assert inside.all()
    np.testing.assert_allclose(found[1], [80, 70, 120, 90], atol=1e-4)


@pytest.mark.parametrize("size", SIZES)
def test_sides_are_those_that_grounding_dino_was_trained_with(size):
    made = FITS["grounding_dino"].size(*size)
    assert max(made) <= 1333 and (min(made) == 800 or max(made) == 1333)
    assert min(made) >= LEAST_SIDE
    if min(made) > LEAST_SIDE:  # else too thin to be shown as it is
        assert abs(made[0] / made[1] - size[0] / size[1]) < 0.02 * size[0] / size[1]


def test_a_picture_of_the_right_size_is_only_normalized():
    picture = smooth_picture(768, 768)
    own = OwlViTImageProcessorPil()(picture, return_tensors="np")["pixel_values"][0]
    np.testing.assert_allclose(FITS["owlvit"].pixels(picture), own, atol=1e-5)


@pytest.mark.parametrize("size", [(640, 480), (300, 420), (301, 97)])
@pytest.mark.parametrize(
    ("family", "processor", "apart"),
    [
        ("owlvit", OwlViTImageProcessorPil, 0.01),
        # It blurs with a Gauss filter before it samples; Pillow averages what it samples.
        ("owlv2", Owlv2ImageProcessorPil, 0.03),
        ("grounding_dino", GroundingDinoImageProcessorPil, 0.01),
    ],
)
def test_pixels_are_those_of_the_familys_own_processor(family, processor, apart, size):
    picture = smooth_picture(*size)
    own = processor()(picture, return_tensors="np")["pixel_values"][0]
    ours = FITS[family].pixels(picture)
    assert np.abs(np.array(own.shape) - ours.shape).max() <= 1  # its rounding of the long side
    rows, columns = np.minimum(own.shape[1:], ours.shape[1:])
    difference = np.abs(own[:, :rows, :columns] - ours[:, :rows, :columns])
    assert difference.mean() < apart and ours.std() > 0.5
