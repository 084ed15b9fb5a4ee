"""A known map guides the search in place of the model's own cues."""

from __future__ import annotations

import pytest
from PIL import Image
from random_search import RandomModel

from seal.geometry import Box
from seal.search.config import SearchConfig
from seal.search.draw import draw_path
from seal.search.driver import run_searches
from seal.search.guided import GuidedSearch
from seal.search.heatmap import GridHeat
from seal.search.prior import PriorModel, fixation_prior
from seal.search.protocol import Patch, Query
from seal.search.tree import split

SIZE = (640, 480)
IMAGE = Image.new("RGB", SIZE)
ROOT = Box(0, 0, *SIZE)


def search(prior: GridHeat):
    strategy = GuidedSearch(SearchConfig(min_size=60, min_size_scale=16), "human_prior")
    model = PriorModel(RandomModel(0, 0.2), lambda image, target: prior)
    return run_searches([strategy.explore(IMAGE, "mug")], model)[0]


def test_the_search_goes_where_people_looked_first():
    result = search(fixation_prior([(600, 40), (30, 450)], *SIZE, sigma=20))
    top_left, top_right, bottom_left, _ = split(ROOT)
    assert result.path[1].box == top_right
    halves = [node.box for node in result.path if node.depth == 2]
    assert halves.index(top_right) < halves.index(bottom_left) < halves.index(top_left)
    assert result.calls == {"detect": len(result.path)}  # no cue is asked for
    assert result.strategy == "human_prior"


@pytest.mark.parametrize("gamma", [0.8, 0.9, 0.5])
def test_later_fixations_weigh_less_by_gamma(gamma):
    heat = fixation_prior([(160, 120), (480, 120)], *SIZE, gamma=gamma, sigma=10)
    first, second, *rest = heat.shares(split(ROOT))
    assert second / first == pytest.approx(gamma, rel=0.02)
    assert rest == pytest.approx([0, 0], abs=1e-6)


def test_shares_within_a_region_are_of_the_region():
    prior = fixation_prior([(160, 120), (480, 120)], *SIZE, sigma=30)
    query = Query("detect", Patch(IMAGE, Box(320, 0, 640, 240)), "mug")
    (found,) = PriorModel(RandomModel(), lambda image, target: prior).detect([query])
    assert found.heat.shares([Box(0, 0, 320, 240)]) == pytest.approx([1])
    assert found.heat.shares([Box(0, 0, 160, 240)]) == pytest.approx([0.5], abs=0.02)
    assert found.heat.to_numpy().shape == (240, 320)


def test_no_fixation_guides_nowhere():
    result = search(fixation_prior([], *SIZE, sigma=20))
    assert len(result.path) > 21
    assert all(node.score == 0 for node in result.path)


def test_a_search_by_prior_can_be_drawn():
    result = search(fixation_prior([(600, 40)], *SIZE, sigma=20))
    assert draw_path(IMAGE, result).width == 1024
