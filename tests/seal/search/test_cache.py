"""One cache serves every strategy and changes none."""

from __future__ import annotations

from PIL import Image
from random_search import RandomModel, visits

from seal.search.cache import CachedModel
from seal.search.config import SearchConfig
from seal.search.driver import run_searches
from seal.search.strategies import STRATEGIES, build_strategy

CONFIG = SearchConfig(min_size=60, min_size_scale=16)
IMAGE = Image.new("L", (240, 200))


def search(strategy, model, image=IMAGE, target="mug"):
    return run_searches([build_strategy(strategy, CONFIG).explore(image, target)], model)[0]


def test_strategies_replay_from_one_cache_what_they_visit_without():
    cached = CachedModel(RandomModel(3, 0.2))
    for strategy in STRATEGIES:
        plain = visits(search(strategy, RandomModel(3, 0.2)))
        assert visits(search(strategy, cached)) == plain
    # The first search without a find visits the whole tree; the rest finds it answered.
    assert sum(size for kind, size in cached.model.batches if kind == "detect") == 21
    assert cached.hits > cached.misses


def test_a_question_asked_twice_in_a_batch_is_put_once():
    model = RandomModel(0, 0.2)
    strategy = build_strategy("sequential_bfs", CONFIG)
    cached = CachedModel(model)
    run_searches([strategy.explore(IMAGE, "mug") for _ in range(3)], cached)
    assert {size for _, size in model.batches} == {1}


def test_images_targets_and_forgotten_images_are_asked_again():
    model = RandomModel(0, 0.2)
    cached = CachedModel(model)
    search("whole_image_detector", cached)
    search("whole_image_detector", cached, image=IMAGE.copy())
    search("whole_image_detector", cached, target="cat")
    assert cached.misses == 3
    search("whole_image_detector", cached)
    assert cached.misses == 3
    cached.forget(IMAGE)
    search("whole_image_detector", cached)
    assert cached.misses == 4
