"""Every kind of decision that another float order could turn is told, and no other."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from scripted_confidences import ScriptedConfidences

from seal.search.config import SearchConfig
from seal.search.driver import run_searches
from seal.search.heatmap import GridHeat
from seal.search.near_ties import NearTie
from seal.search.protocol import Cue, Detections
from seal.search.strategies import build_strategy
from seal.search.trace import from_dict, to_dict

IMAGE = Image.new("1", (800, 800))
ROOT = (0, 0, 800, 800)
A, B, C, D = (0, 0, 400, 400), (400, 0, 800, 400), (0, 400, 400, 800), (400, 400, 800, 800)
SURE = np.float32(0.5) + np.float32(5e-5)


class Scripted:
    """Scores of each region; heat of the root's quarters, 0 in one corner of everything else."""

    def __init__(self, scores, quarters=(0.4, 0.3, 0.2, 0.1), peak=9.0):
        self.scores, self.peak = scores, peak
        self.grid = np.array(quarters, float).reshape(2, 2)

    def detect(self, queries):
        found = []
        for query in queries:
            scores = np.array(self.scores.get(query.patch.box.as_ints(), [0.1]), np.float32)
            boxes = np.array([[0, 0, 9 + i, 9] for i in range(len(scores))], np.float32)
            found.append(Detections(boxes.reshape(-1, 4), scores, self._heat(query)))
        return found

    def contextual_cue(self, queries):
        return [Cue("There.", "there", "scripted")] * len(queries)

    def cue_heatmap(self, queries):
        return [self._heat(query) for query in queries]

    def _heat(self, query):
        return GridHeat(self.grid, *query.patch.size, self.peak)


def ties(model, strategy="guided", question="", **config):
    config = SearchConfig(min_size=400, **config)
    built = build_strategy(strategy, config, answered=frozenset({"detect", "answering"}))
    (result,) = run_searches([built.explore(IMAGE, "mug", question)], model)
    assert from_dict(to_dict(result)).near_ties == result.near_ties
    return result.near_ties


FOUND = {ROOT: [0.2], A: [0.8]}


def test_a_search_of_clear_decisions_tells_none():
    assert ties(Scripted(FOUND)) == []
    assert ties(Scripted({ROOT: [0.31, 0.2]})) == []


@pytest.mark.parametrize(
    ("kind", "node", "model", "config"),
    [
        ("confidence_high", 1, Scripted(FOUND | {A: [SURE]}), {}),
        ("confidence_low", 2, Scripted({ROOT: [0.2], B: [0.29995]}), {}),
        ("instance_threshold", 0, Scripted({ROOT: [0.8, SURE]}), {}),
        ("nms_iou", 0, Scripted({ROOT: [0.8, 0.7]}), {"nms_iou": 0.90004}),  # of 9 x 9, 10 x 9
        ("cue_threshold", 0, Scripted(FOUND, peak=6.00005), {}),
        ("next_region", 1, Scripted(FOUND, quarters=(0.4, 0.39997, 0.2, 0.1)), {}),
        ("best_box", 1, Scripted(FOUND | {A: [0.8, 0.1, 0.79997]}), {}),
        ("best_region", 3, Scripted({ROOT: [0.2], B: [0.39997], C: [0.4]}), {}),
    ],
)  # fmt: skip
def test_a_decision_that_is_close_is_told_with_its_margin(kind, node, model, config):
    (tie,) = ties(model, **config)
    assert (tie.kind, tie.node) == (kind, node)
    assert 0 < tie.margin < 1e-4
    assert ties(model, near_tie_margin=tie.margin / 2, **config) == []


def test_equal_scores_are_a_tie_unless_no_heat_reaches_either():
    (tie,) = ties(Scripted(FOUND, quarters=(0.4, 0.4, 0.2, 0.1)))
    assert tie == NearTie("next_region", 1, 0.0)
    assert ties(Scripted(FOUND, quarters=(1, 1, 1, 1))) == []  # a constant map points nowhere


def test_two_boxes_of_a_region_that_gave_none_decide_nothing():
    assert ties(Scripted({ROOT: [0.2, 0.2], A: [0.8]})) == []


def test_of_a_question_that_the_whole_image_may_answer():
    model = ScriptedConfidences(answering={ROOT: 0.49995}, boxes={ROOT: [(A, 0.9)]})
    (tie,) = ties(model, "expert_first", "What color?", use_contextual_cue=False)
    assert (tie.kind, tie.node) == ("sure_above", 0)


def test_of_zoom_eye():
    model = ScriptedConfidences(answering={A: 0.75003}, latent={A: 0.9, B: 0.89995})
    noted = ties(model, "zoom_eye", "What color?")
    assert [(tie.kind, tie.node) for tie in noted] == [("next_region", 1), ("stop_threshold", 1)]


def test_a_margin_is_a_share_of_one():
    with pytest.raises(ValueError, match="near_tie_margin=2"):
        SearchConfig(near_tie_margin=2)
