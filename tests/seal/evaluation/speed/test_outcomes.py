"""Whether two paths came to the same: visits, verdict, boxes, and how close a decision was."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import tiny_models

from seal.evaluation.speed.outcomes import compare, holds, outcome
from seal.search.driver import run_searches
from seal.search.guided import GuidedSearch
from seal.search.heatmap import NumpyHeat
from seal.search.protocol import Cue, Detections, Query


class Sees:
    """Sees something in every region, never surely."""

    def detect(self, queries: list[Query]) -> list[Detections]:
        return [
            Detections(
                np.array([[1, 2, 30, 40]], np.float32),
                np.array([0.4], np.float32),
                NumpyHeat(np.zeros(query.patch.size[::-1], np.float32)),
            )
            for query in queries
        ]

    def contextual_cue(self, queries: list[Query]) -> list[Cue]:
        return [Cue("It is on the table.", "the table", "a test") for _ in queries]

    def cue_heatmap(self, queries: list[Query]) -> list[NumpyHeat]:
        return [NumpyHeat(np.ones(query.patch.size[::-1], np.float32)) for query in queries]


@pytest.fixture(scope="module")
def one() -> dict[str, Any]:
    image = tiny_models.noise(500, 500)
    (result,) = run_searches([GuidedSearch().explore(image, "mug")], Sees())
    return outcome("q1", result)


def test_an_outcome_tells_visits_verdict_and_words(one) -> None:
    assert one["found"] and one["boxes"] == [[1, 2, 30, 40]]
    assert len(one["path"]) > 1 and one["path"][0]["box"] == [0, 0, 500, 500]
    assert one["path"][0]["cue"] == "It is on the table." and one["path"][0]["cued"]
    assert one["path"][0]["confidence"] == pytest.approx(0.4)


def test_what_is_the_same_holds(one) -> None:
    told = compare([one, one], [one, one])
    assert told == {
        "searches": 2, "same_visits": 2, "same_verdict": 2, "same_boxes": 2, "same_words": 2,
        "max_box_px": 0.0, "max_confidence": 0.0, "differing": [],
    }  # fmt: skip
    assert holds(told)


def test_a_box_may_be_half_a_pixel_off_and_no_more(one) -> None:
    for moved, same in ((0.5, 1), (0.6, 0)):
        other = deepcopy(one)
        other["boxes"][0][2] += moved
        told = compare([other], [one])
        assert told["same_boxes"] == same and told["max_box_px"] == pytest.approx(moved)
        assert holds(told) == bool(same)


def test_confidences_are_compared_up_to_where_two_searches_part(one) -> None:
    other = deepcopy(one)
    other["path"][1]["confidence"] += 3e-5
    assert compare([other], [one])["max_confidence"] == pytest.approx(3e-5)
    other["path"][1]["box"][0] += 1
    assert compare([other], [one])["max_confidence"] == 0


def test_other_words_are_counted_and_are_no_other_answer(one) -> None:
    other = deepcopy(one)
    other["path"][0]["cue"] = "It is on the floor."
    told = compare([other], [one])
    assert told["same_words"] == 0 and told["differing"] == [] and holds(told)


def test_what_differs_is_listed_with_the_closest_decision_before_it(one) -> None:
    other = deepcopy(one)
    other["path"] = other["path"][:2]
    other["found"], other["boxes"] = False, []
    other["near_ties"] = [{"kind": "late", "node": 4, "margin": 1e-9}]
    reference = deepcopy(one)
    reference["near_ties"] = [
        {"kind": "early", "node": 1, "margin": 3e-5},
        {"kind": "after they parted", "node": 3, "margin": 1e-6},
    ]
    told = compare([other], [reference])
    assert told["differing"] == [
        {"question": "q1", "target": "mug", "differs": ["visits", "verdict", "boxes"],
         "box_px": None, "margin": 3e-5}
    ]  # fmt: skip
    assert not holds(told)  # one of one is more than a two-hundredth
    many = [reference] * 200
    assert holds(compare([other, *many[1:]], many))
    reference["near_ties"] = []
    assert not holds(compare([other, *many[1:]], many))


def test_searches_of_something_else_are_a_bug(one) -> None:
    other = {**one, "target": "cup"}
    with pytest.raises(AssertionError):
        compare([one], [other])
