"""The guided search descends to what its cues point at and says honestly when it failed."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from random_search import RandomModel

from seal.geometry import Box
from seal.search.config import SearchConfig
from seal.search.driver import run_searches
from seal.search.guided import GuidedSearch, likely_next
from seal.search.heatmap import GridHeat
from seal.search.oracle import OracleModel, always
from seal.search.protocol import Cue, Detections
from seal.search.tree import SearchNode

SMALL = {"min_size": 64, "min_size_scale": 16}


def search(model, size=(512, 384), **config):
    strategy = GuidedSearch(SearchConfig(**SMALL | config))
    return run_searches([strategy.explore(Image.new("1", size), "mug")], model)[0]


class Fixed:
    """The same boxes and scores everywhere; heat in the last quarter."""

    def __init__(self, boxes=(), scores=(), peak=0.0):
        self.boxes = np.array(boxes, np.float32).reshape(-1, 4)
        self.scores = np.array(scores, np.float32)
        self.peak = peak
        self.asked = []

    def heat(self, query):
        grid = np.array([[0, 0], [0, 1.0]])
        return GridHeat(grid, query.patch.box.width, query.patch.box.height, self.peak)

    def detect(self, queries):
        return [Detections(self.boxes, self.scores, self.heat(query)) for query in queries]

    def contextual_cue(self, queries):
        self.asked += queries
        return [Cue("The mug is most likely to appear on the desk.", "desk", "fixed")] * len(
            queries
        )

    def cue_heatmap(self, queries):
        assert all(query.text == "desk" for query in queries)
        return [self.heat(query) for query in queries]


def test_it_descends_straight_to_a_small_target():
    target = Box(1500, 900, 1540, 940)
    result = search(OracleModel(always(target)), (2048, 1536))
    assert result.found
    assert result.boxes[0].iou(target) > 0.99
    assert [node.depth for node in result.path] == [1, 2, 3, 4]
    assert all(
        child.parent is node for node, child in zip(result.path, result.path[1:], strict=False)
    )


def test_no_detection_at_all_is_not_found():
    result = search(Fixed())
    assert (result.found, result.boxes, result.scores, result.best_box) == (False, [], [], None)
    assert result.num_steps == len(result.path) > 1


def test_a_weak_detection_is_not_found_but_remembered():
    result = search(Fixed([[1, 2, 3, 4]], [0.2]))
    assert (result.found, result.boxes) == (False, [])
    assert (result.best_box, result.num_steps) == (Box(1, 2, 3, 4), 1)
    assert result.best_score == pytest.approx(0.2)


def test_a_fair_detection_is_accepted_once_everything_was_seen():
    result = search(Fixed([[1, 2, 3, 4]], [0.4]))
    assert (result.found, result.boxes, result.num_steps) == (True, [Box(1, 2, 3, 4)], 1)
    assert len(result.path) > 1


BOXES = [[0, 0, 50, 50], [2, 2, 52, 52], [100, 100, 150, 150], [200, 200, 220, 220]]


@pytest.mark.parametrize(
    ("config", "kept"),
    [
        ({}, [0, 1, 2]),
        ({"instance_threshold": 0.75}, [1, 2]),
        ({"nms_iou": 0.5}, [1, 2]),
        ({"instance_threshold": 0.95}, [1]),  # none is above: the best alone
    ],
)
def test_instances_of_the_whole_image(config, kept):
    result = search(Fixed(BOXES, [0.7, 0.9, 0.8, 0.4]), **config)
    assert result.boxes == [Box(*BOXES[i]) for i in kept]
    assert len(result.scores) == len(kept)
    assert result.best_box == Box(*BOXES[1])


def test_only_the_best_box_counts_below_the_root():
    class Deeper(Fixed):
        def detect(self, queries):
            scores = [0.9, 0.8] if queries[0].patch.box.width < 512 else [0.1, 0.1]
            self.scores = np.array(scores, np.float32)
            return super().detect(queries)

    result = search(Deeper([[0, 0, 5, 5], [9, 9, 20, 20]], peak=9))
    assert result.found
    assert result.boxes == [Box(256, 192, 261, 197)]


@pytest.mark.parametrize(
    ("peak", "config", "kind"),
    [
        (9.0, {}, "target"),
        (6.0, {}, "contextual"),  # a peak equal to the threshold does not guide
        (9.0, {"use_target_cue": False}, "contextual"),
        (1.0, {"use_contextual_cue": False}, "target"),
    ],
)
def test_what_guides(peak, config, kind):
    model = Fixed(peak=peak)
    root = search(model, **config).path[0]
    assert root.cue_kind == kind
    assert (root.cue is not None) == (kind == "contextual") == bool(model.asked)
    assert root.child_shares == [0, 0, 0, 1]


def test_a_leaf_is_only_looked_at():
    result = search(Fixed([[1, 2, 3, 4]], [0.2]), size=(64, 500))
    assert len(result.path) == 1
    assert result.path[0].cue_kind is None
    assert result.calls == {"detect": 1}


def test_the_result_carries_its_circumstances():
    result = search(RandomModel(confidence=0.2), size=(200, 300))
    assert (result.target, result.strategy, result.image_size) == ("mug", "guided", (200, 300))
    assert result.config["min_size"] == 64
    assert result.extractors == ["random"]


def test_likely_next_ranks_the_frontier_and_the_mean_child():
    heap = [SearchNode(Box(i, 0, i + 1, 1), score=s) for i, s in enumerate((0.5, 0.1, 0.05))]
    node = SearchNode(Box(0, 0, 8, 8), depth=1, score=0.0)  # its children average 1/16
    ranked = likely_next(heap, node)
    assert ranked[:2] == [heap[0].box, heap[1].box]
    assert all(box.area == 16 for box in ranked[2:6])
    assert ranked[6] == heap[2].box
    assert likely_next([], None) == []
