"""Every region is looked at, the largest first, and each thing is counted once."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from scripted_confidences import ScriptedConfidences

from seal.geometry import Box
from seal.search.budget import BudgetConfig
from seal.search.config import EveryInstanceConfig, SearchConfig
from seal.search.driver import run_searches
from seal.search.every_instance import EveryInstance
from seal.search.exhaustive import ExhaustiveSearch
from seal.search.oracle import OracleModel, always
from seal.search.protocol import Detections

IMAGE = Image.new("1", (800, 600))
CONFIG = SearchConfig(min_size=100, min_size_scale=16)


def search(model, image=IMAGE, **config):
    strategy = EveryInstance(SearchConfig(min_size=100, min_size_scale=16, **config))
    return run_searches([strategy.explore(image, "mug")], model)[0]


class Clear:
    """Sees every part of its things, cut as the region cuts it."""

    def __init__(self, *things):
        self.things = things

    def detect(self, queries):
        found = []
        for query in queries:
            x0, y0, x1, y1 = query.patch.box.as_ints()
            inside = [
                [max(b.x0, x0) - x0, max(b.y0, y0) - y0, min(b.x1, x1) - x0, min(b.y1, y1) - y0]
                for b in self.things
                if min(b.x1, x1) > max(b.x0, x0) and min(b.y1, y1) > max(b.y0, y0)
            ]
            boxes = np.array(inside, np.float32).reshape(-1, 4)
            found.append(Detections(boxes, np.full(len(boxes), 0.9, np.float32)))
        return found


def test_it_looks_at_every_region_whatever_it_finds():
    result = search(Clear(Box(10, 10, 60, 60)))
    (whole,) = run_searches([ExhaustiveSearch(CONFIG).explore(IMAGE, "x")], Clear())
    assert {node.box for node in result.path} == {node.box for node in whole.path}
    areas = [node.box.area for node in result.path]
    assert areas == sorted(areas, reverse=True)
    assert result.calls == {"detect": len(whole.path)}
    assert (result.found, result.strategy, result.num_steps) == (True, "every_instance", 1)


def test_things_are_counted_once_though_borders_cut_them():
    things = [Box(380, 280, 430, 330), Box(20, 20, 60, 50), Box(180, 140, 260, 160)]
    result = search(Clear(*things))
    assert result.count == 3
    assert set(result.boxes) == set(things)


def test_things_too_small_for_the_whole_image_are_found_closer():
    things = [Box(30, 30, 60, 60), Box(700, 500, 730, 530)]
    model = OracleModel(always(*things), min_share=0.02)
    result = search(model)
    assert set(result.boxes) == set(things)
    assert search(model, every_instance=EveryInstanceConfig(max_depth=2)).count == 0


# One thing across the border of two quarters, and a window that has it in the middle.
LEFT = {(0, 0, 400, 400): [((350, 100, 400, 200), 0.7)]}
RIGHT = {(400, 0, 800, 400): [((400, 100, 450, 200), 0.8)]}
NEARBY, THING = (200, 0, 600, 400), Box(350, 100, 450, 200)
SQUARE = Image.new("1", (800, 800))


def test_what_borders_cut_everywhere_is_looked_at_again():
    seen = {NEARBY: [((352, 101, 449, 198), 0.6)]}
    model = ScriptedConfidences(boxes=LEFT | RIGHT | seen)
    result = search(model, SQUARE)
    assert (result.boxes, result.scores) == ([Box(352, 101, 449, 198)], pytest.approx([0.6]))
    last = result.path[-1]
    assert last.box.as_ints() == NEARBY and last.depth == 2
    assert last.parent.box.as_ints() == (400, 0, 800, 400)  # that showed the surer piece
    assert result.num_steps == len(result.path)
    assert model.regions("detect").count(NEARBY) == 1  # once for both pieces


def test_a_piece_that_is_nothing_seen_whole_is_no_instance():
    other = {(0, 400, 400, 800): [((50, 500, 90, 550), 0.9)]}
    result = search(ScriptedConfidences(boxes=LEFT | other), SQUARE)
    assert result.boxes == [Box(50, 500, 90, 550)]


def test_a_box_from_two_pieces_is_the_best_box_where_nothing_is_looked_at_again():
    model = ScriptedConfidences(boxes=LEFT | RIGHT)
    once = search(model, SQUARE, every_instance=EveryInstanceConfig(look_again=False))
    regions = len(once.path)
    ended = search(model, SQUARE, budget=BudgetConfig(nodes=regions))
    for result in (once, ended):
        assert result.boxes == [result.best_box] == [THING]
        assert result.scores == [result.best_score] == pytest.approx([0.8])
        assert result.num_steps == 3
    assert (once.stopped_early, ended.stopped_early) == (None, f"{regions} nodes")


def test_without_an_instance_the_verdict_is_that_of_an_exhausted_search():
    fair = ScriptedConfidences(boxes={(0, 0, 400, 300): [((5, 5, 9, 9), 0.4)]})
    result = search(fair)
    assert (result.found, result.boxes, result.num_steps) == (True, [Box(5, 5, 9, 9)], 2)
    weak = ScriptedConfidences(boxes={(0, 0, 400, 300): [((5, 5, 9, 9), 0.2)]})
    result = search(weak)
    assert (result.found, result.best_box) == (False, Box(5, 5, 9, 9))


def test_a_spent_budget_leaves_the_largest_regions_and_what_they_showed():
    things = [Box(30, 30, 60, 60), Box(700, 500, 730, 530)]
    model = OracleModel(always(*things), min_share=0.007)  # visible from the quarters on
    for limits, words in (({"nodes": 3}, "3 nodes"), ({"calls": 3}, "3 calls")):
        result = search(model, budget=BudgetConfig(**limits))
        assert [node.box.as_ints() for node in result.path] == [
            (0, 0, 800, 600), (0, 0, 400, 300), (400, 0, 800, 300),
        ]  # fmt: skip
        assert (result.boxes, result.stopped_early) == ([things[0]], words)


def test_boxes_barely_on_one_side_are_told():
    sure = float(np.float32(0.5) + np.float32(4e-5))
    model = ScriptedConfidences(boxes={(0, 0, 400, 300): [((5, 5, 9, 9), sure)]})
    (tie,) = search(model).near_ties
    assert (tie.kind, tie.node) == ("instance_threshold", 1)


@pytest.mark.parametrize("wrong", [{"max_depth": 0}, {"contained": 0}, {"border": 0.5}])
def test_wrong_numbers_are_refused(wrong):
    with pytest.raises(ValueError, match=r"every_instance\.\w+="):
        EveryInstanceConfig(**wrong)
