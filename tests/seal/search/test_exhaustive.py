"""Unguided searches visit every region once, in the order their names say."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from random_search import RandomModel

from seal.geometry import Box
from seal.search.config import SearchConfig
from seal.search.driver import run_searches
from seal.search.oracle import OracleModel, always
from seal.search.strategies import BY_TARGET, build_strategy
from seal.search.tree import split

CONFIG = SearchConfig(min_size=60, min_size_scale=16)


def search(strategy, size=(240, 200), target="mug", config=CONFIG, model=None, image=None):
    image = image or Image.new("L", size)
    strategy = build_strategy(strategy, config)
    return run_searches([strategy.explore(image, target)], model or RandomModel(0, 0.2))[0]


def whole_tree(box, size):
    if CONFIG.is_leaf(box, *size):
        return [box]
    return [box] + [b for child in split(box) for b in whole_tree(child, size)]


@pytest.mark.parametrize("strategy", [s for s in BY_TARGET if s != "whole_image_detector"])
@given(width=st.integers(20, 400), height=st.integers(20, 400))
@settings(max_examples=12, deadline=None)
def test_every_region_is_visited_exactly_once_when_nothing_is_found(strategy, width, height):
    result = search(strategy, (width, height))
    tree = whole_tree(Box(0, 0, width, height), (width, height))
    assert not result.found
    assert len(result.path) == len(tree)
    assert {node.box for node in result.path} == set(tree)


def test_sequential_bfs_goes_level_by_level_from_the_last_child():
    path = search("sequential_bfs").path
    assert [n.depth for n in path] == sorted(n.depth for n in path)
    assert [n.box for n in path[1:5]] == split(path[0].box)[::-1]
    assert [n.box for n in path[5:9]] == split(path[1].box)[::-1]


def test_sequential_dfs_finishes_a_child_before_its_sibling():
    path = search("sequential_dfs").path
    last, second_last = split(path[0].box)[::-1][:2]
    assert path[1].box == last
    assert [n.box for n in path[2:6]] == split(last)[::-1]
    assert path[6].box == second_last


def order(*args, **kwargs):
    return [node.box for node in search(*args, **kwargs).path]


@pytest.mark.parametrize("strategy", ["random_bfs", "random_dfs"])
def test_a_random_order_depends_on_seed_image_and_target_alone(strategy):
    first = order(strategy)
    assert order(strategy) == first
    other_seed = SearchConfig(min_size=60, min_size_scale=16, seed=1)
    assert order(strategy, config=other_seed) != first
    assert order(strategy, target="cat") != first
    assert order(strategy, image=Image.new("L", (240, 200), 9)) != first


def test_random_bfs_still_goes_level_by_level():
    depths = [node.depth for node in search("random_bfs").path]
    assert depths == sorted(depths)


@pytest.mark.parametrize("strategy", BY_TARGET)
def test_every_strategy_finds_and_stops(strategy):
    target = Box(10, 10, 60, 60)  # large enough to be seen on the whole image
    result = search(strategy, model=OracleModel(always(target)))
    assert (result.found, result.boxes, len(result.path)) == (True, [target], 1)
    assert result.strategy == strategy


@pytest.mark.parametrize("strategy", BY_TARGET)
def test_only_guided_searches_ask_more_than_detections(strategy):
    calls = search(strategy).calls
    assert (set(calls) == {"detect"}) == (strategy not in BY_TARGET[:2]), calls


def test_the_whole_image_detector_looks_once():
    assert len(search("whole_image_detector").path) == 1


def test_an_unknown_strategy_is_refused_with_the_names():
    with pytest.raises(ValueError, match=r"'guidde'.*guided.*random_dfs.*human_prior"):
        build_strategy("guidde")


@pytest.mark.parametrize("name", ["none", "oracle", "human_prior"])
def test_names_that_need_more_than_a_model_say_so(name):
    with pytest.raises(ValueError, match="set it up"):
        build_strategy(name)
