"""The high-pass picture and the map of pure_grad equal the original's."""

from __future__ import annotations

import numpy as np
import pytest
from golden_files import each_golden, golden_arrays, golden_path
from PIL import Image

from seal.inference.vicrop.blur import blurred
from seal.inference.vicrop.high_pass import block_sums, has_detail, high_pass, pure_grad_map


def picture_of(case):
    return Image.open(golden_path(f"vicrop/{case['file']}"))


@pytest.mark.goldens("vicrop_highpass")
def test_the_filtered_picture_is_that_of_the_original():
    arrays = golden_arrays("vicrop/highpass")
    for case in each_golden("vicrop/highpass", "cases"):
        name, step = case["id"], case.get("subsample", 1)
        found = high_pass(picture_of(case), case["res"])
        expected = arrays[name if step == 1 else f"{name}_sub"]
        np.testing.assert_allclose(found[::step, ::step], expected, rtol=0, atol=2e-6)
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(
            block_sums(found, 14), arrays[f"{name}_sum"], rtol=1e-4, atol=1e-4
        )


@pytest.mark.goldens("vicrop_highpass")
def test_the_kept_pixels_are_those_of_the_original_where_the_median_is_clear():
    arrays = golden_arrays("vicrop/highpass")
    compared = 0
    for case in each_golden("vicrop/highpass", "cases"):
        if case["near_median"]:
            continue
        kept = has_detail(high_pass(picture_of(case), case["res"]))
        assert kept.sum() == case["kept"]
        if f"{case['id']}_kept" in arrays:
            assert (kept == arrays[f"{case['id']}_kept"]).all()
            compared += 1
    assert compared


@pytest.mark.goldens("vicrop_highpass")
def test_the_map_of_given_gradients_is_that_of_the_original():
    arrays = golden_arrays("vicrop/highpass")
    for case in each_golden("vicrop/highpass", "puregrad"):
        asked, general = (arrays[f"{case['id']}_{part}"].astype(np.float32) for part in ("q", "g"))
        kept = has_detail(high_pass(picture_of(case), case["res"]))
        found = pure_grad_map(asked, general, kept, block=case["block"])
        expected = arrays[f"{case['id']}_map"]
        assert (np.isfinite(found) == np.isfinite(expected)).all()
        assert (~np.isfinite(found)).sum() == case["nonfinite"]
        top = expected[np.isfinite(expected)].max()
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * top)


def test_a_blur_keeps_the_sum_inside_and_a_flat_picture():
    flat = np.full((3, 9, 7), 0.25, np.float32)
    np.testing.assert_allclose(blurred(flat, 0.8), flat, rtol=1e-6)
    point = np.zeros((9, 9), np.float32)
    point[4, 4] = 1
    spread = blurred(point, 0.8)
    assert spread.sum() == pytest.approx(1)
    # exp(-1/(2 x 0.8^2)) of the middle one step away, and of that again diagonally.
    step = np.exp(-1 / (2 * 0.8**2))
    assert spread[4, 5] / spread[4, 4] == pytest.approx(step, rel=1e-5)
    assert spread[5, 5] / spread[4, 4] == pytest.approx(step**2, rel=1e-5)


def test_a_blur_mirrors_at_the_border_and_bears_single_rows():
    values = np.array([[4.0, 0, 0, 0]], np.float32)
    step = np.exp(-1 / (2 * 0.8**2))
    expected = np.array([[4, 4 * step, 0, 0]]) / (1 + 2 * step)
    np.testing.assert_allclose(blurred(values, 0.8), expected, rtol=1e-5)
    np.testing.assert_allclose(blurred(values[:, :1], 0.8), values[:, :1])


def test_detail_is_where_the_picture_changes_over_more_than_a_thin_line():
    pixels = np.full((56, 56, 3), 128, np.uint8)
    pixels[:, 4] = 255
    pixels[:, 28:] = 255 * (np.indices((56, 28)).sum(0) % 2)[..., None]
    detail = high_pass(Image.fromarray(pixels), 56)
    assert (detail[:, 32:] > 0.2).all() and (detail[:, :22] < 1e-6).all()


def test_cells_at_the_edge_are_filled_with_zeros():
    sums = block_sums(np.ones((5, 7), np.float32), 4)
    assert sums.tolist() == [[16, 12], [4, 3]]
