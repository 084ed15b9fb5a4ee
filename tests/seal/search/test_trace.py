"""A result survives JSON."""

from __future__ import annotations

import json

import pytest
from PIL import Image
from random_search import RandomModel, visits

from seal.search.config import ExpertFirstConfig, SearchConfig
from seal.search.driver import run_searches
from seal.search.strategies import STRATEGIES, build_strategy
from seal.search.trace import from_dict, to_dict
from seal.search.tree import split

CONFIG = SearchConfig(min_size=60, min_size_scale=16)


def search(strategy="guided", confidence=0.2):
    strategy = build_strategy(strategy, CONFIG)
    image = Image.new("L", (240, 200))
    return run_searches([strategy.explore(image, "mug")], RandomModel(5, confidence))[0]


def through_json(result, **kwargs):
    return from_dict(json.loads(json.dumps(to_dict(result, **kwargs))))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("confidence", [0.0, 0.2, 0.9])
def test_a_result_comes_back_as_it_was(strategy, confidence):
    result = search(strategy, confidence)
    back = through_json(result)
    assert visits(back) == visits(result)
    for name in ("target", "strategy", "image_size", "config", "extractors", "evaluated_ahead"):
        assert getattr(back, name) == getattr(result, name)
    cues = [[node.cue for node in r.path] for r in (back, result)]
    assert cues[0] == cues[1]
    parents = [
        [r.path.index(n.parent) if n.parent else None for n in r.path] for r in (back, result)
    ]
    assert parents[0] == parents[1]


def test_a_trace_lists_what_a_reader_needs():
    trace = to_dict(search())
    assert {
        "found",
        "boxes",
        "scores",
        "num_steps",
        "calls",
        "seconds",
        "config",
        "strategy",
    } <= set(trace)
    node = trace["path"][0]
    assert {"box", "depth", "score", "parent", "confidence", "cue_kind", "cue_phrase"} <= set(node)
    assert len(node["child_shares"]) == 4
    assert "heat" not in node


def test_coarse_maps_come_back_pointing_the_same_way():
    result = search()
    back = through_json(result, heat_cells=24)
    pairs = [(a, b) for a, b in zip(result.path, back.path, strict=True) if a.heat is not None]
    assert pairs
    for ours, theirs in pairs:
        regions = [r.shift(-ours.box.x0, -ours.box.y0) for r in split(ours.box)]
        assert theirs.heat.shares(regions) == pytest.approx(ours.heat.shares(regions), abs=0.03)
        assert theirs.heat.peak() == pytest.approx(ours.heat.peak())


def test_another_version_is_refused():
    with pytest.raises(ValueError, match="version 99, this code reads 1"):
        from_dict(to_dict(search()) | {"version": 99})


def test_a_trace_without_a_key_is_refused_by_name():
    trace = to_dict(search())
    del trace["path"]
    with pytest.raises(ValueError, match="lacks the key 'path'"):
        from_dict(trace)


def test_a_settled_search_comes_back_with_its_confidences():
    config = SearchConfig(expert_first=ExpertFirstConfig(sure_above=0.0))
    strategy = build_strategy("expert_first", config)
    image = Image.new("L", (240, 200))
    (result,) = run_searches([strategy.explore(image, "mug", "what?")], RandomModel(5, 0.9))
    back = through_json(result)
    assert back.settled and not back.found
    assert back.path[0].confidences == result.path[0].confidences != {}


def test_a_trace_from_before_confidences_reads():
    trace = to_dict(search())
    del trace["settled"], trace["path"][0]["confidences"]
    back = from_dict(trace)
    assert not back.settled and back.path[0].confidences == {}
