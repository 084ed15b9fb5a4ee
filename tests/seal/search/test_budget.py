"""A budget ends a search where it is spent, with the verdict of an exhausted one, and says so."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PIL import Image
from random_search import RandomModel, visits
from scripted_confidences import ScriptedConfidences

from seal.geometry import Box
from seal.search import budget as budget_module
from seal.search.budget import BudgetConfig
from seal.search.config import SearchConfig
from seal.search.driver import run_searches
from seal.search.expert_first import ExpertFirst
from seal.search.strategies import STRATEGIES, build_strategy
from seal.search.trace import from_dict, to_dict

IMAGE = Image.new("1", (1024, 768))
SMALL = {"min_size": 128, "min_size_scale": 16}
KINDS = frozenset({"detect", "answering"})


def search(strategy, model, limits=None, question="", **config):
    config = SearchConfig(**SMALL | config, budget=BudgetConfig(**limits or {}))
    built = build_strategy(strategy, config, answered=KINDS)
    return run_searches([built.explore(IMAGE, "mug", question)], model)[0]


@pytest.mark.parametrize("strategy", [s for s in STRATEGIES if s != "whole_image_detector"])
def test_a_search_that_is_cut_visits_what_it_would_have_visited(strategy):
    model = RandomModel(confidence=0.29)  # nothing is found: every region is visited
    whole = search(strategy, model)
    assert whole.stopped_early is None and "budget" not in whole.config
    for nodes in (1, 3, len(whole.path) - 1):
        cut = search(strategy, model, {"nodes": nodes})
        assert [n.box for n in cut.path] == [n.box for n in whole.path[:nodes]]
        assert cut.stopped_early == ("1 node" if nodes == 1 else f"{nodes} nodes")
        assert not cut.found and cut.boxes == []
        assert cut.best_score == max(n.confidence for n in cut.path)
    enough = search(strategy, model, {"nodes": len(whole.path)})
    assert visits(enough) == visits(whole)
    assert enough.stopped_early is None  # it was through


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_no_more_is_asked_than_may_be(strategy):
    model = RandomModel(confidence=0.29)
    whole = search(strategy, model, question="What color?")
    for calls in range(1, 12):
        cut = search(strategy, model, {"calls": calls}, "What color?")
        assert cut.num_calls <= calls
        assert (cut.stopped_early is None) == (calls >= whole.num_calls), calls
        if cut.stopped_early is not None:
            assert cut.stopped_early == f"{calls} call{'s' if calls > 1 else ''}"
        assert from_dict(to_dict(cut)).stopped_early == cut.stopped_early


class LateHeat(RandomModel):
    """Gives the heat of a detection where it is asked for it."""

    late_heat = True

    def detect(self, queries):
        return [replace(each, heat=None) for each in super().detect(queries)]

    def target_heat(self, queries):
        return [self._detect(replace(query, kind="detect")).heat for query in queries]


@pytest.mark.parametrize("calls", [1, 2, 5, 8, 13])
def test_heat_that_comes_later_costs_no_call_more(calls):
    early, late = (
        search("guided", model(confidence=0.29), {"calls": calls})
        for model in (RandomModel, LateHeat)
    )
    assert visits(early) == visits(late)
    assert early.calls == late.calls and late.num_calls <= calls
    assert early.stopped_early == late.stopped_early is not None


def test_time_is_up_by_the_clock_and_the_first_look_is_always_taken(monkeypatch):
    clock = iter(range(100, 1000, 10))
    monkeypatch.setattr(budget_module.time, "monotonic", lambda: next(clock))
    result = search("sequential_bfs", RandomModel(confidence=0.29), {"seconds": 35})
    # Begun at 100; asked at 110, 120 and 130; at 140 the time is up.
    assert len(result.path) == 3
    assert result.stopped_early == "35 s"


def test_what_was_seen_until_then_is_accepted_as_at_the_end_of_any_search():
    model = RandomModel(confidence=0.45, seed=2)
    results = {n: search("sequential_bfs", model, {"nodes": n}) for n in range(1, 20)}
    for result in results.values():
        assert result.found == (result.best_score >= 0.3)
        assert result.boxes == ([result.best_box] if result.found else [])
    assert {result.found for result in results.values()} == {True, False}


def test_a_budget_spent_on_the_question_leaves_nothing_seen():
    model = ScriptedConfidences()
    config = SearchConfig(**SMALL, budget=BudgetConfig(calls=1))
    strategy = ExpertFirst(config, build_strategy("sequential_bfs", config))
    (result,) = run_searches([strategy.explore(IMAGE, "mug", "What color?")], model)
    assert (result.found, result.path, result.num_steps) == (False, [], 0)
    assert (result.stopped_early, result.calls) == ("1 call", {"answering": 1})


def test_zoom_eye_without_a_question_left_boxes_the_region_itself():
    sure = {(0, 0, 400, 400): 0.9}
    model = ScriptedConfidences(existing=sure, boxes={(0, 0, 400, 400): [((5, 5, 9, 9), 0.9)]})
    image = Image.new("1", (800, 800))
    boxes = []
    for calls in (9, 10):  # the root, the existing and latent of four quarters, and the box
        config = SearchConfig(min_size=400, budget=BudgetConfig(calls=calls))
        config.zoom_eye.stop_by, config.zoom_eye.box = "existing", "detect"
        strategy = build_strategy("zoom_eye", config)
        (result,) = run_searches([strategy.explore(image, "mug")], model)
        assert result.found
        boxes.append((result.boxes[0], result.stopped_early))
    assert boxes == [(Box(0, 0, 400, 400), "9 calls"), (Box(5, 5, 9, 9), None)]


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"nodes": 0}, "budget.nodes=0"),
        ({"calls": -1}, "budget.calls=-1"),
        ({"nodes": 1.5}, "budget.nodes=1.5"),
        ({"nodes": "3"}, "budget.nodes='3'"),
        ({"calls": float("inf")}, "budget.calls=inf"),
        ({"calls": True}, "budget.calls=True"),
        ({"seconds": "5"}, "budget.seconds='5'"),
        ({"seconds": 0}, "budget.seconds=0"),
        ({"seconds": float("inf")}, "budget.seconds=inf"),
        ({"seconds": float("nan")}, "budget.seconds=nan"),
    ],
)
def test_what_is_no_budget_is_refused(limits, words):
    with pytest.raises(ValueError, match=words):
        BudgetConfig(**limits)
