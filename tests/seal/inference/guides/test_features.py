"""Crops are encoded once, and the cache holds no more than it may."""

from __future__ import annotations

import torch
from PIL import Image

from seal.geometry import Box
from seal.inference.guides.features import FeatureCache
from seal.search.protocol import Patch

EACH = 40  # bytes of ten float32


def cache(max_bytes=10 * EACH):
    encoded = []

    def encode(patches):
        encoded.append([patch.box.x0 for patch in patches])
        return [(torch.full((10,), patch.box.x0, dtype=torch.float32),) for patch in patches]

    return FeatureCache(encode, max_bytes=max_bytes), encoded


def patches(image, *lefts):
    return [Patch(image, Box(left, 0, left + 5, 5)) for left in lefts]


def test_each_crop_is_encoded_once_and_given_in_the_order_asked():
    crops, encoded = cache()
    image = Image.new("L", (99, 9))
    found = crops.get(patches(image, 3, 1, 3, 2))
    assert [each[0][0].item() for each in found] == [3, 1, 3, 2] and found[0] is found[2]
    crops.get(patches(image, 2, 4))
    assert encoded == [[3, 1, 2], [4]] and crops.num_encoded == 4
    crops.get(patches(Image.new("L", (99, 9)), 1))  # the same region of another image
    assert encoded[-1] == [1]


def test_what_was_used_longest_ago_goes_first():
    crops, encoded = cache(2 * EACH)
    image = Image.new("L", (99, 9))
    crops.get(patches(image, 1, 2))
    crops.get(patches(image, 1))
    crops.get(patches(image, 3))
    assert crops.num_bytes == 2 * EACH
    crops.get(patches(image, 1))
    assert encoded == [[1, 2], [3]]
    crops.get(patches(image, 2))
    assert encoded[-1] == [2]


def test_more_than_fits_is_still_given():
    crops, _ = cache(EACH)
    found = crops.get(patches(Image.new("L", (99, 9)), 1, 2, 3))
    assert [each[0][0].item() for each in found] == [1, 2, 3] and crops.num_bytes == EACH


def test_an_image_is_forgotten_alone():
    crops, encoded = cache()
    one, other = Image.new("L", (99, 9)), Image.new("L", (99, 9))
    crops.get([*patches(one, 1), *patches(other, 1)])
    crops.forget(one)
    assert crops.num_bytes == EACH
    crops.get([*patches(one, 1), *patches(other, 1)])
    assert encoded == [[1, 1], [1]]
