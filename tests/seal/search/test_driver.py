"""However searches are driven, each visits what it would visit alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from random_search import RandomModel, visits

from seal.geometry import Box
from seal.search.config import SearchConfig
from seal.search.driver import SearchLocator, run_searches
from seal.search.locator import LocateRequest
from seal.search.oracle import OracleModel, always
from seal.search.protocol import Ask, AskAll, Patch, Query
from seal.search.result import SearchResult
from seal.search.speed import SpeedConfig
from seal.search.strategies import STRATEGIES, build_strategy
from seal.search.tree import split

CONFIG = SearchConfig(min_size=40, min_size_scale=16)
SIZES = [(640, 480), (300, 220), (500, 200), (96, 320), (40, 40), (641, 479)]
images = [Image.new("1", size) for size in SIZES]


def explore(strategy, image, target="mug"):
    return build_strategy(strategy, CONFIG).explore(image, target)


def alone(strategy, seed, confidence):
    model = RandomModel(seed, confidence)
    return [visits(run_searches([explore(strategy, image)], model)[0]) for image in images]


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(seed=st.integers(0, 10_000), confidence=st.sampled_from([0.25, 0.45, 0.55]), data=st.data())
@settings(max_examples=6, deadline=None)
def test_lockstep_lookahead_and_batch_limits_change_no_visit(strategy, seed, confidence, data):
    together = run_searches(
        (explore(strategy, image) for image in images),
        RandomModel(seed, confidence),
        lookahead=data.draw(st.integers(0, 6), "lookahead"),
        concurrency=data.draw(st.integers(1, 7), "concurrency"),
        max_batch=data.draw(st.sampled_from([None, 1, 3]), "max_batch"),
    )
    assert [visits(result) for result in together] == alone(strategy, seed, confidence)


def test_lockstep_batches_equal_kinds():
    model = RandomModel(confidence=0.2)
    results = run_searches([explore("sequential_bfs", image) for image in images], model)
    assert len(model.batches) == max(len(result.path) for result in results)
    assert model.batches[0] == ("detect", len(images))


def test_lookahead_saves_rounds_and_says_what_it_spent():
    plain, eager = RandomModel(confidence=0.2), RandomModel(confidence=0.2)
    (a,) = run_searches([explore("sequential_bfs", images[0])], plain)
    (b,) = run_searches([explore("sequential_bfs", images[0])], eager, lookahead=4)
    assert len(eager.batches) <= len(plain.batches) / 4
    assert a.evaluated_ahead == 0
    # Nothing guides this search, so everything evaluated ahead is visited in the end.
    assert b.evaluated_ahead + len(eager.batches) == len(b.path) == b.calls["detect"]


def test_the_likely_next_regions_of_a_guided_search_are_visited_next():
    (target,) = (Box(600, 440, 620, 460),)
    model = OracleModel(always(target))
    (result,) = run_searches([explore("guided", images[0])], model, lookahead=4)
    assert result.found
    # The root looks ahead at its four children, so at most the other three are wasted a level.
    assert result.evaluated_ahead <= 4 * (len(result.path) - 1)


def test_a_batch_limit_is_kept():
    model = RandomModel()
    run_searches([explore("guided", image) for image in images], model, lookahead=3, max_batch=4)
    assert max(size for _, size in model.batches) == 4


def test_concurrency_bounds_the_searches_started():
    started = []

    def searches():
        for image in images:
            started.append(image)
            yield explore("guided", image)

    seen = []
    run_searches(
        searches(),
        RandomModel(),
        concurrency=2,
        progress=lambda index, result: seen.append((index, len(started))),
    )
    assert sorted(index for index, _ in seen) == list(range(len(images)))
    assert all(count <= done + 2 for done, (_, count) in enumerate(seen))


def test_calls_and_seconds_are_accounted_by_kind():
    results = run_searches([explore("guided", image) for image in images], RandomModel())
    for result in results:
        asked = sum(node.cue_kind == "contextual" for node in result.path)
        assert result.calls["detect"] == len(result.path)
        assert result.calls.get("contextual_cue", 0) == result.calls.get("cue_heatmap", 0) == asked
        assert set(result.seconds) == {*result.calls, "search"}
        assert all(seconds >= 0 for seconds in result.seconds.values())
        assert result.num_calls == len(result.path) + 2 * asked


def test_no_searches_give_no_results():
    assert run_searches([], RandomModel()) == []


def test_a_locator_answers_in_the_order_of_its_requests():
    locator = SearchLocator(
        build_strategy("guided", CONFIG), RandomModel(), speed=SpeedConfig(concurrency=2)
    )
    requests = [(image, target) for image in images for target in ("mug", "cat")]
    results = locator.locate([LocateRequest(*request) for request in requests])
    assert [(r.image_size, r.target) for r in results] == [(i.size, t) for i, t in requests]


def test_queries_that_belong_together_are_one_batch_and_come_back_as_a_list():
    box = Box(0, 0, 640, 480)
    patches = [Patch(images[0], part) for part in split(box)]

    def together():
        answers = yield AskAll(tuple(Query("latent", patch, "mug") for patch in patches))
        one = yield Ask(Query("latent", patches[2], "mug"))
        return SearchResult(
            target="mug", strategy="", found=False, boxes=[], scores=[*answers, one]
        )

    model = RandomModel(4, 0.9)
    results = run_searches([together(), together(), explore("sequential_bfs", images[1])], model)
    assert model.batches[:1] == [("latent", 8)]
    for result in results[:2]:
        assert result.scores[4] == result.scores[2]
        assert len(set(result.scores)) == 4
        assert result.calls == {"latent": 5}
        assert result.seconds["latent"] > 0
