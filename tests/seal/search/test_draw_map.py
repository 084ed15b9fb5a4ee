"""A crop that came from a map is shown beside the map, also from a stored trace."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from seal.geometry import Box
from seal.search import canvas
from seal.search.draw import draw_frames, draw_path, save_animation
from seal.search.draw_map import draw_map, from_map, map_cells
from seal.search.heatmap import GridHeat
from seal.search.result import SearchResult
from seal.search.trace import from_dict, to_dict
from seal.search.tree import SearchNode

BLUE, GREEN = (0, 0, 255), (0, 160, 0)


def looked(size, window, *, grid=None, target="", **config):
    if grid is None:
        grid = np.zeros((24, 24))
        grid[2:5, 2:5] = 1
    root = SearchNode(
        Box(0, 0, *size), confidence=1.0, best_box=window, heat=GridHeat(grid, *size, 3.0)
    )
    return SearchResult(
        target=target, strategy="vicrop_rel_att", found=True, boxes=[window], scores=[1.0],
        best_box=window, best_score=1.0, num_steps=1, path=[root], image_size=size,
        config={"method": "rel_att", "layer": 14, "num_layers": 32, "grid": list(grid.shape),
                "view": "pad", "window_scale": 1.2, "notes": [], **config},
        calls={"map": 1},
    )  # fmt: skip


def photo(size, window):
    """Blue, and green where the window is."""
    image = Image.new("RGB", size, BLUE)
    image.paste(GREEN, window.as_ints())
    return image


@pytest.mark.parametrize("size", [(640, 480), (5000, 60), (61, 3000), (30, 20)])
@pytest.mark.parametrize("width", [400, 1024])
def test_a_sheet_of_the_asked_width_for_any_image(size, width):
    window = Box(0, 0, min(336, size[0]), min(336, size[1]))
    image = photo(size, window)
    before = image.tobytes()
    sheet = draw_path(image, looked(size, window), width=width)
    assert sheet.width == width and sheet.height > 80
    assert image.tobytes() == before


def test_the_crop_stands_beside_the_image_and_its_window_is_outlined():
    window = Box(320, 240, 560, 400)
    sheet = np.asarray(draw_path(photo((640, 480), window), looked((640, 480), window)))
    right = sheet[:, 640:]
    assert (right == GREEN).all(-1).sum() > 60_000 and not (right == BLUE).all(-1).any()
    left = sheet[:, :620]
    outlined = np.argwhere((left == canvas.FOUND).all(-1))
    scale = 585 / 640  # of the picture in the sheet: 0.6 of what the margins leave
    (top, start), (bottom, end) = outlined.min(0), outlined.max(0)
    assert abs(start - (16 + 320 * scale)) < 4 and abs(end - (16 + 560 * scale)) < 4
    assert abs(top - (56 + 240 * scale)) < 4 and abs(bottom - (56 + 400 * scale)) < 4


def test_the_map_tints_where_it_is_warm_and_is_there_from_a_trace():
    window = Box(320, 240, 560, 400)
    result, image = looked((640, 480), window), photo((640, 480), window)
    stored = from_dict(to_dict(result, heat_cells=24))
    without = from_dict(to_dict(result))
    pictures = [np.asarray(draw_path(image, r)).astype(int) for r in (result, stored, without)]
    warm = (slice(56 + 60, 56 + 80), slice(16 + 70, 16 + 110))
    for heated in pictures[:2]:
        assert (heated[warm][..., 0] > 100).all()  # red where the map is, over blue
    assert (pictures[2][warm] == BLUE).all()
    assert np.abs(pictures[0] - pictures[1]).max() < 16


def test_notes_and_whole_images_are_told():
    window = Box(0, 0, 300, 200)
    plain = draw_map(photo((300, 200), window), looked((300, 200), window))
    told = looked((300, 200), window, notes=["the map is flat"], whole_image=True)
    sheet = draw_map(photo((300, 200), window), told)
    assert sheet.height == plain.height + 20
    assert (np.asarray(sheet) == canvas.DOUBT).all(-1).any()


def test_frames_show_the_map_then_the_crop(tmp_path):
    window = Box(320, 240, 560, 400)
    result, image = looked((640, 480), window, target="a mug"), photo((640, 480), window)
    frames = [np.asarray(frame) for frame in draw_frames(image, result)]
    assert len(frames) == 2
    assert not (frames[0] == canvas.FOUND).all(-1).any()
    assert (frames[1] == canvas.FOUND).all(-1).any()
    save_animation(tmp_path / "a.gif", image, result)
    assert Image.open(tmp_path / "a.gif").n_frames == 2


def test_searches_are_not_taken_for_maps():
    result = looked((30, 20), Box(0, 0, 9, 9))
    assert from_map(result) and map_cells(result) == 24
    assert map_cells(from_dict(to_dict(result))) == 0
    result.strategy = "guided"
    assert not from_map(result) and map_cells(result) == 0
