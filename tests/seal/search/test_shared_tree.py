"""Targets of one image share one walk: fewer visits, by the rules of each target's own search."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from random_search import RandomModel, visits

from seal.geometry import Box
from seal.search.budget import BudgetConfig
from seal.search.config import SearchConfig
from seal.search.driver import SearchLocator, run_searches
from seal.search.guided import GuidedSearch
from seal.search.heatmap import GridHeat
from seal.search.locator import LocateRequest
from seal.search.oracle import OracleModel
from seal.search.protocol import Cue, Detections
from seal.search.shared_locator import SharedTreeLocator
from seal.search.strategies import build_strategy

IMAGE = Image.new("1", (800, 800))
SMALL = {"min_size": 100, "min_size_scale": 16}
ROOT, A, D = (0, 0, 800, 800), (0, 0, 400, 400), (400, 400, 800, 800)


def shared(model, targets, image=IMAGE, **config):
    locator = SearchLocator(GuidedSearch(SearchConfig(**SMALL | config)), model)
    return SharedTreeLocator(locator).locate([LocateRequest(image, target) for target in targets])


def alone(model, targets, **config):
    strategy = GuidedSearch(SearchConfig(**SMALL | config))
    return run_searches([strategy.explore(IMAGE, target) for target in targets], model)


def boxes(result):
    return [node.box.as_ints() for node in result.path]


class Pointing:
    """target -> (heat of the quarters, {region: score}); no cue but the target's."""

    def __init__(self, **targets):
        self.targets = targets
        self.batches = []

    def detect(self, queries):
        self.batches.append([(query.text, query.patch.box.as_ints()) for query in queries])
        return [self._detect(query) for query in queries]

    def contextual_cue(self, queries):
        return [Cue("", query.text, "x") for query in queries]

    def cue_heatmap(self, queries):
        return [self._detect(query).heat for query in queries]

    def _detect(self, query):
        quarters, scores = self.targets[query.text]
        heat = GridHeat(np.array(quarters, float).reshape(2, 2), *query.patch.size, 9.0)
        score = np.array([scores.get(query.patch.box.as_ints(), 0.1)], np.float32)
        return Detections(np.array([[1, 1, 9, 9]], np.float32), score, heat)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("confidence", [0.29, 0.7])
def test_one_target_is_searched_for_as_alone(seed, confidence):
    model = RandomModel(seed, confidence)
    (one,), (other,) = shared(model, ["mug"]), alone(model, ["mug"])
    assert visits(one) == visits(other)
    assert one.calls == other.calls
    assert one.near_ties == other.near_ties


def test_several_images_are_walked_each_by_itself():
    model, images = RandomModel(confidence=0.7), [IMAGE, Image.new("1", (800, 700))]
    locator = SharedTreeLocator(SearchLocator(GuidedSearch(SearchConfig(**SMALL)), model))
    asked = [(images[0], "mug"), (images[1], "boat"), (images[0], "sign")]
    together = locator.locate([LocateRequest(*each) for each in asked])
    assert [result.target for result in together] == ["mug", "boat", "sign"]
    for one, other in zip([together[0], together[2]], shared(model, ["mug", "sign"]), strict=True):
        assert visits(one) == visits(other)
    assert visits(together[1]) == visits(shared(model, ["boat"], images[1])[0])


def test_a_region_is_visited_once_for_all_that_are_missing_and_one_found_leaves():
    near = ((0.6, 0.2, 0.1, 0.1), {A: 0.9})
    far = ((0.3, 0.1, 0.1, 0.5), {D: 0.9})
    model = Pointing(near=near, far=far)
    one, other = shared(model, ["near", "far"])
    # The sums are A 0.9, B 0.3, C 0.2, D 0.6; then A's children bring no more than a quarter.
    assert (boxes(one), boxes(other)) == ([ROOT, A], [ROOT, A, D])
    assert model.batches == [[("near", ROOT), ("far", ROOT)], [("near", A), ("far", A)],
                             [("far", D)]]  # fmt: skip
    assert (one.found, other.found) == (True, True)
    assert (one.calls, other.calls) == ({"detect": 2}, {"detect": 3})
    assert other.config["shared_tree"] == ["near", "far"]


def test_with_one_found_the_order_is_that_of_the_others():
    first = ((0.9, 0.06, 0.04, 0), {ROOT: 0.9})
    second = ((0.2, 0.1, 0.1, 0.6), {D: 0.9})
    _, other = shared(Pointing(first=first, second=second), ["first", "second"])
    assert boxes(other) == [ROOT, D]
    late = ((0.8, 0.2, 0, 0), {A: 0.9})
    third = ((0.2, 0.05, 0.3, 0.45), {(400, 0, 800, 400): 0.9})
    _, other = shared(Pointing(late=late, third=third), ["late", "third"])
    # Waiting beside A: B 0.25 (0.2 of it the found one's), C 0.3, D 0.45.
    assert boxes(other)[:3] == [ROOT, A, D]


def test_things_beside_each_other_take_fewer_visits_than_one_by_one():
    known = {"mug": Box(100, 100, 120, 120), "cup": Box(140, 100, 160, 120)}
    model = OracleModel(lambda image, target: [known[target]], min_share=0.02)
    together, apart = shared(model, list(known)), alone(model, list(known))
    assert [result.boxes for result in together] == [result.boxes for result in apart]
    regions = {node.box for result in together for node in result.path}
    assert len(regions) < sum(len(result.path) for result in apart)


def test_what_is_in_nothing_seen_is_judged_as_alone():
    model = RandomModel(confidence=0.4)  # accepted at the end, or not at all
    for one, other in zip(shared(model, list("abc")), alone(model, list("abc")), strict=True):
        assert {n.box for n in one.path} == {n.box for n in other.path}
        assert (one.found, one.boxes, one.best_score) == (
            other.found, other.boxes, other.best_score,
        )  # fmt: skip


def test_the_budget_is_of_the_walk():
    model = RandomModel(confidence=0.29)
    results = shared(model, ["mug", "cup"], budget=BudgetConfig(nodes=3))
    assert [len(result.path) for result in results] == [3, 3]
    assert {result.stopped_early for result in results} == {"3 nodes"}
    results = shared(model, ["mug", "cup"], budget=BudgetConfig(calls=5))
    assert sum(result.num_calls for result in results) <= 5
    assert {result.stopped_early for result in results} == {"5 calls"}
    near = Pointing(near=((1, 0, 0, 0), {ROOT: 0.9}), far=((1, 0, 0, 0), {}))
    found, missing = shared(near, ["near", "far"], budget=BudgetConfig(nodes=1))
    assert (found.stopped_early, missing.stopped_early) == (None, "1 node")


def test_a_walk_that_fails_has_found_none_of_its_targets():
    class Failing(RandomModel):
        def contextual_cue(self, queries):
            if any(query.patch.image is IMAGE for query in queries):
                raise RuntimeError("no room")
            return super().contextual_cue(queries)

    other = Image.new("1", (800, 700))
    locator = SharedTreeLocator(
        SearchLocator(GuidedSearch(SearchConfig(**SMALL)), Failing(confidence=0.29))
    )
    requests = [LocateRequest(IMAGE, "a"), LocateRequest(other, "b"), LocateRequest(IMAGE, "c")]
    results = locator.locate(requests)
    assert [result.target for result in results] == ["a", "b", "c"]
    assert [result.error is None for result in results] == [False, True, False]
    assert results[0].error.startswith("RuntimeError: no room")


def test_other_searches_share_nothing():
    locator = SearchLocator(build_strategy("random_bfs"), RandomModel())
    with pytest.raises(ValueError, match="search=random_bfs: targets share a walk of guided"):
        SharedTreeLocator(locator)
