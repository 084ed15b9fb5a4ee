"""Scenes of the drawn world are told from everything else, at any size and after any saving."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from seal.images.drawn import is_drawn
from seal.miniature.world import SIZES, make_scene


def saved_again(image, scale, quality):
    size = round(image.width * scale), round(image.height * scale)
    stream = io.BytesIO()
    image.resize(size, Image.Resampling.BICUBIC).save(stream, "JPEG", quality=quality)
    return Image.open(stream).convert("RGB")


@pytest.mark.parametrize("index", range(6))
def test_a_scene_is_drawn_however_it_was_saved(index):
    scene = make_scene(77, index, SIZES[index % 3]).render()
    assert is_drawn(scene)
    assert is_drawn(saved_again(scene, 0.25, 75))
    assert is_drawn(scene.crop((100, 100, 420, 400)))


@pytest.mark.parametrize("kind", ["gray", "noise", "white", "black", "gradient", "tiny"])
def test_other_pictures_are_not(kind):
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 255, 300, dtype=np.uint8)
    pixels = {
        "gray": np.repeat(rng.integers(0, 256, (200, 300, 1), dtype=np.uint8), 3, 2),
        "noise": rng.integers(0, 256, (200, 300, 3), dtype=np.uint8),
        "white": np.full((200, 300, 3), 255, np.uint8),
        "black": np.zeros((200, 300, 3), np.uint8),
        "gradient": np.stack(np.broadcast_arrays(ramp, ramp[::-1], ramp[:200, None]), -1),
        "tiny": np.full((1, 1, 3), 128, np.uint8),
    }[kind]
    assert not is_drawn(Image.fromarray(np.ascontiguousarray(pixels)))
