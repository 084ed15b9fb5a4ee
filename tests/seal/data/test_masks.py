from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seal.data.masks import (
    mask_to_rle,
    merge_rles,
    rle_area,
    rle_runs,
    rle_to_mask,
    segmentation_to_rle,
)

MASKS = arrays(
    np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 1)
)
SQUARE = [2, 1, 6, 1, 6, 4, 2, 4]  # x 2..6, y 1..4


def runs(mask: np.ndarray[Any, Any]) -> dict[str, Any]:
    """COCO's uncompressed RLE: run lengths down the columns, beginning with zeros."""
    counts, value = [0], 0
    for pixel in mask.T.reshape(-1):
        if pixel != value:
            counts.append(0)
            value = pixel
        counts[-1] += 1
    return {"size": list(mask.shape), "counts": counts}


@given(MASKS)
def test_a_mask_survives_both_forms_of_rle(mask: np.ndarray[Any, Any]) -> None:
    height, width = mask.shape
    for rle in (mask_to_rle(mask), segmentation_to_rle(runs(mask), height, width)):
        assert (rle_to_mask(rle) == mask).all()
        assert rle_area(rle) == mask.sum()
        assert segmentation_to_rle(rle, height, width) == rle


def test_polygons_are_united() -> None:
    other = [4, 2, 9, 2, 9, 3, 4, 3]
    mask = rle_to_mask(segmentation_to_rle([SQUARE, other], 8, 10))
    expected = np.zeros((8, 10), np.uint8)
    expected[1:4, 2:6] = expected[2:3, 4:9] = 1
    assert (mask == expected).all()


@given(MASKS)
def test_a_union_with_nothing_changes_nothing(mask: np.ndarray[Any, Any]) -> None:
    rle = mask_to_rle(mask)
    assert merge_rles([rle, mask_to_rle(np.zeros_like(mask))]) == rle


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ([], "list of polygons or an RLE"),
        (None, "list of polygons or an RLE"),
        ([[1, 2, 3, 4]], "at least three"),
        ([[1, 2, 3, 4, 5, 6, 7]], "at least three"),
        ({"size": [9, 9], "counts": [81]}, "height x width 8 x 10"),
        ({"size": [8, 10], "counts": [70]}, "do not add up"),
        ({"size": [8, 10], "counts": [90, -10]}, "do not add up"),
    ],
)
def test_a_segmentation_that_means_nothing_is_refused(segmentation: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        segmentation_to_rle(segmentation, 8, 10)


def test_a_mask_has_two_dimensions() -> None:
    with pytest.raises(ValueError, match="two dimensions"):
        mask_to_rle(np.zeros((1, 2, 3)))


@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(1, 60), st.floats(0, 1))
def test_runs_are_those_of_the_mask(seed: int, height: int, width: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    mask = (rng.random((height, width)) < share).astype(np.uint8)
    if seed % 2:
        mask[height // 4 : height // 2, width // 4 :] = 1  # long runs
    runs = rle_runs(mask_to_rle(mask))
    turns = np.arange(len(runs)) % 2
    assert np.array_equal(np.repeat(turns, runs).reshape(width, height).T, mask)


@pytest.mark.parametrize(
    "counts",
    ["", "zzz", "zzzz", "0" * 50, "0000001", "PPYo", "P", "1", "\t", "}}", "\x7f", "\u20ac"],
)
def test_a_damaged_encoding_is_refused_wherever_it_is_read(counts: str) -> None:
    rle = {"size": [40, 60], "counts": counts}
    # pycocotools decodes these to whatever the memory holds.
    for read in (rle_runs, rle_to_mask, lambda rle: segmentation_to_rle(rle, 40, 60)):
        with pytest.raises(ValueError, match=r"encoding|add up to"):
            read(rle)


@pytest.mark.parametrize(
    "segmentation",
    [
        [[*SQUARE[:-1], float("nan")]],
        [[*SQUARE[:-1], 1e308]],  # crashes pycocotools, and Python with it
        [[*SQUARE[:-1], True]],
        [[*SQUARE[:-1], "4"]],
        [{str(i): 1 for i in range(6)}],
        {"size": [6, 8], "counts": [-2, 50]},
        {"size": [6, 8], "counts": [0.5, 47.5]},
        {"size": [6, 8], "counts": [True, 47]},
    ],
)
def test_numbers_that_are_no_places_are_refused(segmentation: object) -> None:
    with pytest.raises(ValueError):
        segmentation_to_rle(segmentation, 6, 8)
