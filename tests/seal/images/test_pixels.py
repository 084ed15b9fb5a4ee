"""Pixels equal the original's bit for bit; files that are not images are named."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from golden_files import (
    counted,
    each_golden,
    golden_arrays,
    golden_cases,
    golden_json,
    golden_path,
)
from PIL import Image
from transformers.models.owlv2.image_processing_pil_owlv2 import Owlv2ImageProcessorPil

from seal.geometry import Box, square_padding
from seal.images import owl_pixels
from seal.images import pixels as images
from seal.images.files import open_image

PREPROCESS = golden_cases("preprocess", "cases")


def sha256(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def prepare(case, output):
    """The uint8 that the original's named preparation made of the image of `case`."""
    image = open_image(golden_path(case["png"]))
    size = case["outputs"][output]["shape"][-1]
    if output == "clip_raw":
        return images.resized_bytes(image, size, "center_crop")
    if output == "clip_centered":
        image = images.pad_to_square(image)[0]
    elif output == "clip_topleft":
        image = images.pad_to_square(image, "top_left")[0]
    elif output.startswith("crop_resize"):
        image = image.crop(case["crop_box"])
    return images.resized_bytes(image, size)


@pytest.mark.goldens("preprocess")
@pytest.mark.parametrize("case", PREPROCESS, ids=lambda c: c["png"])
def test_pixels_equal_the_original_bit_for_bit(case):
    for output, expected in counted(case["outputs"].items()):
        u8 = prepare(case, output)
        assert list(u8.shape) == expected["shape"]
        assert sha256(u8) == expected["sha256_uint8"], output
        pixels = images.normalize_bytes(u8)
        assert pixels.dtype == np.float32
        assert sha256(pixels) == expected["sha256_float32"], output


@pytest.mark.goldens("preprocess")
@pytest.mark.parametrize("case", PREPROCESS, ids=lambda c: c["png"])
def test_public_functions_give_those_pixels(case):
    image = open_image(golden_path(case["png"]))
    size = {output: expected["shape"][-1] for output, expected in case["outputs"].items()}
    square = images.pad_to_square(image)[0]
    made = {
        "clip_raw": images.clip_pixels(image, size["clip_raw"], "center_crop"),
        "clip_centered": images.clip_pixels(square, size["clip_centered"]),
        "owl": owl_pixels(image, size["owl"]),
    }
    for output, pixels in made.items():
        assert sha256(pixels) == case["outputs"][output]["sha256_float32"], output


@pytest.mark.goldens("preprocess")
def test_processors_have_the_mean_and_deviation_of_the_original():
    stored = golden_json("preprocess")
    for config in counted((stored["clip_config"], stored["owl_config"])):
        assert tuple(config["image_mean"]) == images.CLIP_MEAN
        assert tuple(config["image_std"]) == images.CLIP_STD
        assert config["resample"] == Image.Resampling.BICUBIC
    assert tuple(stored["background"]) == images.BACKGROUND


@pytest.mark.goldens("splits")
@pytest.mark.parametrize("index", range(len(golden_cases("splits", "expand2square"))))
def test_both_squares_equal_the_original(index):
    case = golden_json("splits")["expand2square"][index]
    arrays = golden_arrays("splits")
    image = Image.fromarray(arrays[f"e2s{index}.in"])
    assert list(image.size) == case["wh"]
    assert tuple(case["background"]) == images.BACKGROUND
    square, offset = images.pad_to_square(image)
    assert offset == (case["left"], case["top"])
    assert (np.asarray(square) == arrays[f"e2s{index}.centered"]).all()
    square, offset = images.pad_to_square(image, "top_left")
    assert offset == (0, 0)
    assert (np.asarray(square) == arrays[f"e2s{index}.topleft"]).all()


@pytest.mark.goldens("splits")
def test_crop_windows_equal_the_original():
    for case in each_golden("splits", "get_patch"):
        box = Box.from_xywh(*case["bbox_xywh"])
        window = images.context_box(
            box, *case["image_wh"], scale=case["patch_scale"], least=case["patch_size"]
        )
        assert list(window) == case["ltrb"], case


@pytest.mark.goldens("splits")
def test_a_crop_that_would_be_empty_is_refused_with_its_box():
    cases = golden_json("splits")["get_object_crop_crashes"]
    # The image's size is not recorded; windows are cut at its right and lower border.
    image = Image.new("RGB", tuple(max(case["ltrb"][edge] for case in cases) for edge in (2, 3)))
    for case in counted(cases):
        box = Box.from_xywh(*case["bbox"])
        left, top, right, bottom = case["ltrb"]
        if right > left and bottom > top:
            assert images.context_crop(image, box).size == (right - left, bottom - top)
        else:
            with pytest.raises(ValueError, match="leaves an empty crop"):
                images.context_crop(image, box)


def test_square_images_are_not_copied_or_moved():
    image = Image.new("RGB", (7, 7), (1, 2, 3))
    assert images.pad_to_square(image) == (image, (0, 0))
    assert square_padding(7, 7) == (7, 0, 0)


def test_pixels_equal_those_of_the_hugging_face_processor():
    transformers = pytest.importorskip("transformers")
    processor = transformers.CLIPImageProcessorPil(size={"shortest_edge": 56}, crop_size=56)
    rng = np.random.default_rng(0)
    for shape in [(70, 131, 3), (131, 70, 3), (80, 80, 3)]:
        image = Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8))
        expected = processor(image, return_tensors="np")["pixel_values"][0]
        assert (images.clip_pixels(image, 56, "center_crop") == expected).all()


def test_the_whole_of_an_image_beyond_pillows_limit_can_be_cut(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 3)  # Pillow's own crop refuses from 7 on
    image = Image.new("RGB", (4, 2), (1, 2, 3))
    whole = images.cut(image, (0, 0, 4, 2))
    assert whole is not image and whole.tobytes() == image.tobytes()
    assert images.cut(image, (1, 0, 3, 1)).size == (2, 1)


def test_a_padded_square_is_what_owlv2s_own_processor_makes_behind_the_picture():
    image = Image.fromarray(np.full((30, 60, 3), 200, np.uint8))
    processor = Owlv2ImageProcessorPil(size={"height": 60, "width": 60})
    theirs = np.asarray(processor(images=image)["pixel_values"][0])
    ours = owl_pixels(image, 60, "pad")
    # Blurred and resized in other ways, so not at the border of the picture.
    for rows in (slice(0, 25), slice(36, 60)):
        np.testing.assert_allclose(ours[:, rows], theirs[:, rows], atol=1e-5)


@pytest.mark.parametrize("box", [(0, 0, 9, 7), (0, 0, 9, 3), (2, 1, 7, 6), (-3, 2, 12, 9)])
def test_a_part_that_pillow_takes_for_a_bomb_is_cut_out_all_the_same(box, monkeypatch):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8))
    expected = np.asarray(image.crop(box))
    monkeypatch.setattr(images, "_CROPPED", 0)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1)
    np.testing.assert_array_equal(np.asarray(images.cut(image, box)), expected)
