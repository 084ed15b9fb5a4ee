"""Pictures show the verdict, the visits and the crops, for any size of image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from random_search import RandomModel
from scripted_confidences import ScriptedConfidences

from seal.geometry import Box
from seal.images.lettering import text_width
from seal.search import canvas
from seal.search.budget import BudgetConfig
from seal.search.config import SearchConfig
from seal.search.draw import _headline, _lines, _subtitle, draw_frames, draw_path, save_animation
from seal.search.driver import run_searches
from seal.search.locator import LocateRequest
from seal.search.oracle import OracleLocator, OracleModel, always
from seal.search.strategies import build_strategy
from seal.search.trace import from_dict, to_dict

CONFIG = SearchConfig(min_size=60, min_size_scale=16)


def search(image, model, strategy="guided"):
    return run_searches([build_strategy(strategy, CONFIG).explore(image, "a mug")], model)[0]


def has_color(picture, color):
    return bool((np.asarray(picture) == color).all(-1).any())


@pytest.mark.parametrize("size", [(240, 200), (5000, 60), (61, 3000), (30, 20), (1400, 1000)])
def test_a_sheet_of_the_asked_width_for_any_image(size):
    image = Image.new("RGB", size)
    sheet = draw_path(image, search(image, RandomModel(1, 0.25)), width=700)
    assert sheet.width == 700
    assert sheet.height > 100
    assert image.getcolors() == [(size[0] * size[1], (0, 0, 0))]  # the input is left alone


def test_a_found_box_and_a_guess_have_their_own_colors():
    image = Image.new("RGB", (640, 480))
    found = search(image, OracleModel(always(Box(300, 200, 400, 300))))
    guess = search(image, RandomModel(1, 0.2))
    assert found.found
    assert not guess.found
    for picture, color, other in [
        (draw_path(image, found), canvas.FOUND, canvas.DOUBT),
        (draw_path(image, guess), canvas.DOUBT, canvas.FOUND),
    ]:
        assert has_color(picture, color)
        assert not has_color(picture, other)


def test_long_searches_are_cut_but_keep_the_visit_with_the_box():
    image = Image.new("RGB", (640, 480))
    result = search(image, OracleModel(always(Box(1, 1, 30, 25))), "sequential_bfs")
    assert result.found
    assert result.num_steps == len(result.path) > 20
    short, long = (draw_path(image, result, max_crops=n) for n in (4, 1000))
    assert short.height < long.height
    crops = short.crop((0, short.height - 300, short.width, short.height))
    assert has_color(crops, canvas.FOUND)


def test_heat_tints_where_it_is_warm_and_nowhere_else():
    photo = Image.new("RGB", (80, 80), (0, 0, 255))
    grid = np.zeros((4, 4), np.float32)
    grid[3, 0] = 1
    tinted = canvas.overlay_heat(photo, grid)
    assert tinted.getpixel((75, 5)) == (0, 0, 255)
    assert tinted.getpixel((10, 70))[0] > 100


def test_the_crops_of_a_guided_search_carry_heat():
    image = Image.new("RGB", (640, 480), (0, 0, 255))
    result = search(image, RandomModel(1, 0.2))
    without = from_dict(to_dict(result))
    assert draw_path(image, result).tobytes() != draw_path(image, without).tobytes()


def test_a_stored_trace_can_be_drawn():
    image = Image.new("RGB", (640, 480))
    result = search(image, RandomModel(1, 0.2))
    stored = from_dict(to_dict(result, heat_cells=24))
    assert draw_path(image, stored).size == draw_path(image, result).size
    assert draw_path(image, from_dict(to_dict(result))).size == draw_path(image, result).size


def test_an_oracle_result_can_be_drawn():
    image = Image.new("RGB", (640, 480))
    for known in (always(), always(Box(1, 1, 9, 9), Box(30, 30, 60, 60))):
        (result,) = OracleLocator(known).locate([LocateRequest(image, "mug")])
        assert has_color(draw_path(image, result), canvas.FOUND) == result.found


def test_the_animation_has_a_frame_for_each_visit_and_the_verdict(tmp_path):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 240, 3), np.uint8))
    result = search(image, RandomModel(1, 0.2))
    frames = draw_frames(image, result)
    assert len(frames) == len(result.path) + 1
    assert len({frame.size for frame in frames}) == 1
    assert len(draw_frames(image, result, max_frames=5)) == 6
    save_animation(tmp_path / "path.gif", image, result, width=160)
    with Image.open(tmp_path / "path.gif") as saved:
        assert saved.n_frames == len(frames)


def test_long_text_is_cut_to_its_width():
    text = canvas.shorten("a very long description of a target " * 9, 14, 200)
    assert text.endswith("...")
    assert text_width(text, 14) <= 200
    assert canvas.shorten("short", 14, 200) == "short"


@pytest.mark.parametrize("strategy", ["expert_first", "zoom_eye"])
def test_a_search_by_confidences_is_drawn_with_them(strategy, tmp_path):
    image = Image.new("RGB", (240, 200), "gray")
    search = build_strategy(strategy, CONFIG).explore(image, "a mug", "what color?")
    (result,) = run_searches([search], RandomModel(5, 0.45))
    back = from_dict(to_dict(result))
    words = [_lines(node) for node in back.path]
    assert words == [_lines(node) for node in result.path] and all(seen for seen, _ in words)
    if strategy == "zoom_eye":
        sure = back.path[1].confidences
        expected = [f"{kind} {sure[kind]:.2f}" for kind in ("answering", "existing", "latent")]
        assert words[1] == (expected[0], ", ".join(expected[1:]))
    assert draw_path(image, back).width == 1024
    save_animation(tmp_path / "path.gif", image, back)


def test_a_settled_search_says_that_nothing_was_missing():
    image = Image.new("RGB", (240, 200), "gray")
    search = build_strategy("zoom_eye", CONFIG).explore(image, "a mug", "what color?")
    sure = ScriptedConfidences(answering={(0, 0, 240, 200): 0.93})
    (result,) = run_searches([search], sure)
    assert _headline(result, 2000) == "a mug: the whole image answers the question"
    assert _lines(result.path[0]) == ("answering 0.93", "")
    assert not has_color(draw_path(image, result), canvas.DOUBT)


def test_the_sheet_says_who_guided():
    result = search(Image.new("RGB", (240, 200)), RandomModel(1, 0.25))
    assert "guide " not in _subtitle(result, 2000)
    result.guide = {"parts": {"detect": "owlv2", "cue": "seal", "heat": "seal"}}
    assert "strategy guided, guide owlv2 (cue seal, heat seal)" in _subtitle(result, 2000)
    result.guide = {"parts": {"confidence": "vlm_yes_no"}}
    assert ", guide vlm_yes_no, " in _subtitle(result, 2000)


def test_a_search_that_its_budget_ended_says_so_in_its_title():
    image = Image.new("RGB", (480, 400), "gray")
    config = replace(CONFIG, budget=BudgetConfig(nodes=1))
    search = build_strategy("sequential_bfs", config).explore(image, "a mug")
    (result,) = run_searches([search], RandomModel(5, 0.2))
    assert _headline(result, 2000) == "a mug: not found, stopped early after 1 node"
    assert draw_path(image, result).width == 1024


def test_a_search_that_could_ask_nothing_is_drawn():
    image = Image.new("RGB", (480, 400), "gray")
    config = replace(CONFIG, budget=BudgetConfig(calls=1))
    search = build_strategy("expert_first", config).explore(image, "a mug", "what color?")
    (result,) = run_searches([search], RandomModel(5, 0.2))
    assert result.path == [] and draw_path(image, result).height > image.height
