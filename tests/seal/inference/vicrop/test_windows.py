"""The crop of a map equals the original's; ours tells what the original's rule passes over."""

from __future__ import annotations

import numpy as np
import pytest
from golden_files import each_golden, golden_arrays

from seal.geometry import Box
from seal.inference.vicrop.windows import SCALES, choose_window

USUAL = ("cases", "other_bases")


def window_of(case, **options):
    heat = golden_arrays("vicrop/boxes")[case["id"]]
    return choose_window(heat, tuple(case["image_size"]), case["base"], **options)


@pytest.mark.goldens("vicrop_boxes")
@pytest.mark.parametrize("kind", [*USUAL, "ties", "degenerate"])
def test_boxes_are_those_of_the_original(kind):
    for case in each_golden("vicrop/boxes", kind):
        if "raises" in case:
            with pytest.raises(ValueError, match="has no window: give"):
                window_of(case, guards=False)
            continue
        window = window_of(case, guards=False)
        assert window.box == Box(*case["box"]), case["id"]
        assert window.whole == (case["box"] == [0, 0, *case["image_size"]]), case["id"]
        assert [window.box.width, window.box.height] == case["crop_size"], case["id"]
        assert window.notes == ()


@pytest.mark.goldens("vicrop_boxes")
@pytest.mark.parametrize("kind", USUAL)
def test_guards_change_nothing_where_there_is_nothing_to_guard(kind):
    for case in each_golden("vicrop/boxes", kind):
        window = window_of(case)
        assert (window.box, window.notes) == (Box(*case["box"]), ()), case["id"]


@pytest.mark.goldens("vicrop_boxes")
def test_a_box_bears_the_noise_that_it_is_said_to_bear():
    rng = np.random.default_rng(5)
    arrays = golden_arrays("vicrop/boxes")
    for case in each_golden("vicrop/boxes", "cases"):
        heat = arrays[case["id"]]
        noise = 1 + (case.get("stable_to") or 0) / 10 * rng.uniform(-1, 1, heat.shape)
        window = choose_window(
            (heat * noise).astype(heat.dtype), tuple(case["image_size"]), case["base"]
        )
        assert window.box == Box(*case["box"]), case["id"]


@pytest.mark.goldens("vicrop_boxes")
def test_what_the_original_passes_over_is_told():
    told = 0
    for case in each_golden("vicrop/boxes", "degenerate"):
        if "raises" in case:
            with pytest.raises(ValueError, match="has no window: give"):
                window_of(case)
            continue
        window, plain = window_of(case), window_of(case, guards=False)
        assert window.notes or window.box == plain.box, case["id"]
        told += bool(window.notes)
    assert told


def spot(shape, row, column):
    heat = np.full(shape, 0.1, np.float32)
    heat[row, column] = 9
    return heat


def test_the_crop_is_centred_on_the_only_warm_place():
    window = choose_window(spot((24, 24), 12, 6), (2400, 2400), 200)
    assert window.box.x0 <= 600 <= 700 <= window.box.x1
    assert window.box.y0 <= 1200 <= 1300 <= window.box.y1
    assert window.box.width == window.box.height


@pytest.mark.parametrize("shape", [(24, 24), (7, 31), (30, 5), (2, 2)])
@pytest.mark.parametrize("size", [(640, 480), (3000, 300), (90, 4000), (337, 336)])
def test_any_crop_lies_inside_the_image_and_is_no_larger_than_its_window(shape, size):
    rng = np.random.default_rng(shape[0] * size[0])
    for base in (2, 100, 336):
        for heat in (rng.random(shape), rng.random(shape).astype(np.float32) ** 8):
            box = (window := choose_window(heat, size, base)).box
            assert 0 <= box.x0 < box.x1 <= size[0]
            assert 0 <= box.y0 < box.y1 <= size[1]
            if not window.whole:
                assert max(box.width, box.height) <= base * window.scale
            assert all(float(edge).is_integer() for edge in (box.x0, box.y0, box.x1, box.y1))


def test_a_map_times_a_number_gives_the_same_crop():
    heat = np.random.default_rng(3).random((24, 24))
    assert choose_window(heat, (800, 600), 224).box == choose_window(heat * 64, (800, 600), 224).box


def test_a_window_that_covers_the_map_is_the_image_itself():
    window = choose_window(spot((24, 24), 3, 3), (300, 200), 336)
    assert (window.box, window.whole, window.notes) == (Box(0, 0, 300, 200), True, ())


def test_windows_under_one_cell_are_left_out_and_said():
    size = (9000, 9000)
    released = choose_window(spot((24, 24), 12, 6), size, 336, guards=False)
    assert released.box == Box(0, 0, 336, 336)  # the corner, whatever the map says
    ours = choose_window(spot((24, 24), 12, 6), size, 336)
    assert ours.box.x0 <= 6.5 * 375 <= ours.box.x1 and ours.box.y0 <= 12.5 * 375 <= ours.box.y1
    assert "a cell of the map has 375 x 375 pixels" in ours.notes[0]


def test_an_image_whose_cells_exceed_every_window_still_gets_the_largest():
    ours = choose_window(spot((4, 4), 2, 1), (8000, 8000), 336)
    assert ours.scale == SCALES[-1]
    assert ours.box == Box(3000 - 336, 5000 - 336, 3000 + 336, 5000 + 336)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_cells_without_a_number_count_nothing_and_are_said(wrong):
    heat = spot((24, 24), 12, 6)
    clean = choose_window(heat, (2400, 2400), 200)
    heat[0, 23] = wrong
    window = choose_window(heat, (2400, 2400), 200)
    assert window.box == clean.box
    assert "1 of 576 cells of the map are not finite" in window.notes[0]
    assert not np.isfinite(heat[0, 23])  # the map itself is left alone


def test_a_flat_map_crops_nothing_and_says_so():
    window = choose_window(np.full((24, 24), 0.3), (1024, 768), 336)
    assert window.whole and "the map is flat" in window.notes[0]
