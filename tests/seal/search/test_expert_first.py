"""Worked by hand: when nothing is searched, when the expert is asked, and what is searched then."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from random_search import RandomModel, visits
from scripted_confidences import ScriptedConfidences

from seal.geometry import Box
from seal.search.cache import CachedModel
from seal.search.config import ExpertFirstConfig, SearchConfig
from seal.search.driver import run_searches
from seal.search.exhaustive import ExhaustiveSearch
from seal.search.expert_first import ExpertFirst
from seal.search.guided import GuidedSearch

IMAGE = Image.new("1", (800, 800))
ROOT = (0, 0, 800, 800)
MUG, OTHER = (650, 50, 700, 90), (100, 600, 160, 660)
QUESTION = "What color is the mug?"
CONFIG = SearchConfig(min_size=400)


def search(model, question=QUESTION, config=CONFIG, inner=None, num_targets=1, **options):
    # What guides does not matter here: the exhaustive search needs detections alone.
    strategy = ExpertFirst(config, inner or ExhaustiveSearch(config), **options)
    return run_searches([strategy.explore(IMAGE, "mug", question, num_targets)], model)[0]


def test_a_question_that_the_whole_image_answers_is_not_searched_for():
    model = ScriptedConfidences(answering={ROOT: 0.5})
    result = search(model, expert=True)
    assert model.asked == [("answering", ROOT, QUESTION)]
    assert (result.settled, result.found, result.boxes) == (True, False, [])
    assert (result.best_box, result.num_steps) == (None, 1)
    assert result.calls == {"answering": 1}
    assert result.path[0].confidences == {"answering": 0.5}
    assert result.config["sure_above"] == 0.5


def test_what_the_expert_sees_at_a_glance_is_not_searched_for():
    model = ScriptedConfidences(expert={ROOT: [(MUG, 0.9), (OTHER, 0.2), (OTHER, 0.7)]})
    result = search(model, expert=True)
    assert [kind for kind, _, _ in model.asked] == ["answering", "expert"]
    # Every box above the threshold is an instance, as on any whole image.
    assert (result.boxes, result.scores) == ([Box(*MUG), Box(*OTHER)], pytest.approx([0.9, 0.7]))
    assert (result.strategy, result.num_steps, result.settled) == ("expert_first", 1, False)
    assert result.path[0].confidences == pytest.approx({"answering": 0.1, "expert": 0.9})


def test_what_the_expert_does_not_see_is_searched_for():
    quarter = (400, 0, 800, 400)
    model = ScriptedConfidences(
        expert={ROOT: [(OTHER, 0.4)]}, boxes={quarter: [(MUG, 0.8)]}, answering={ROOT: 0.49}
    )
    result = search(model, expert=True)
    assert result.boxes == [Box(*MUG)]
    # The root, and in reverse raster order the quarters up to the second.
    assert model.regions("detect") == [ROOT, (400, 400, 800, 800), (0, 400, 400, 800), quarter]
    assert result.calls == {"answering": 1, "expert": 1, "detect": 4}
    assert result.num_steps == 4
    assert result.path[0].confidences == pytest.approx({"answering": 0.49, "expert": 0.4})
    assert (result.strategy, result.config["expert"]) == ("expert_first", True)


def test_an_expert_has_a_threshold_of_its_own():
    model = ScriptedConfidences(expert={ROOT: [(MUG, 0.25), (OTHER, 0.15)]})
    config = SearchConfig(min_size=400, expert_first=ExpertFirstConfig(expert_above=0.2))
    assert search(model, config=config, expert=True).boxes == [Box(*MUG)]
    assert not search(model, expert=True).found


def test_without_an_expert_apart_the_first_look_of_the_search_is_its_own():
    model = ScriptedConfidences(boxes={ROOT: [(MUG, 0.9)]})
    result = search(model)
    assert [kind for kind, _, _ in model.asked] == ["answering", "detect"]
    assert result.boxes == [Box(*MUG)]
    assert "expert" not in ExpertFirst(CONFIG).needs


@pytest.mark.parametrize("question, asks", [("", True), (QUESTION, False)])
def test_where_nothing_is_asked_only_the_target_is_sought(question, asks):
    model = ScriptedConfidences(answering={ROOT: 1.0}, boxes={ROOT: [(MUG, 0.9)]})
    result = search(model, question=question, asks=asks)
    assert (result.calls, result.boxes) == ({"detect": 1}, [Box(*MUG)])


def test_it_needs_what_its_search_needs():
    guided = {"detect", "contextual_cue", "cue_heatmap", "target_heat"}
    assert ExpertFirst().needs == guided | {"answering"}
    assert ExpertFirst(asks=False).needs == guided
    assert ExpertFirst(expert=True).needs == guided | {"answering", "expert"}
    assert ExpertFirst(search=ExhaustiveSearch()).needs == {"detect", "answering"}


def test_the_question_is_put_once_for_all_its_targets():
    model = RandomModel(3, 0.4)
    strategy = ExpertFirst(CONFIG)
    targets = ("mug", "cat", "kite")
    run_searches(
        [strategy.explore(IMAGE, target, QUESTION, len(targets)) for target in targets],
        CachedModel(model),
    )
    assert [size for kind, size in model.batches if kind == "answering"] == [1]


@given(seed=st.integers(0, 10_000), confidence=st.sampled_from([0.25, 0.45, 0.55]))
@settings(max_examples=20, deadline=None)
def test_a_question_that_is_not_settled_visits_what_the_guided_search_visits(seed, confidence):
    config = SearchConfig(min_size=100, expert_first=ExpertFirstConfig(sure_above=1.0))
    strategy, plain = ExpertFirst(config), GuidedSearch(config)
    (ours,) = run_searches(
        [strategy.explore(IMAGE, "mug", QUESTION)], RandomModel(seed, confidence)
    )
    (theirs,) = run_searches([plain.explore(IMAGE, "mug")], RandomModel(seed, confidence))
    assert ours.path[0].confidences.pop("answering") < 1
    assert ours.calls.pop("answering") == 1
    assert visits(ours) == visits(theirs)


def test_searches_side_by_side_are_what_they_are_alone():
    images = [Image.new("1", size) for size in [(640, 480), (300, 220), (500, 200), (96, 320)]]
    strategy = ExpertFirst(
        SearchConfig(min_size=60, expert_first=ExpertFirstConfig(sure_above=0.3))
    )

    def explore():
        return [strategy.explore(image, "mug", QUESTION) for image in images]

    alone = [visits(run_searches([each], RandomModel(9, 0.5))[0]) for each in explore()]
    for options in ({}, {"lookahead": 3}, {"concurrency": 2}, {"max_batch": 3}):
        together = run_searches(explore(), RandomModel(9, 0.5), **options)
        assert [visits(result) for result in together] == alone
    assert {bool(path[0][6].get("answering", 0) >= 0.3) for path, *_ in alone} == {True, False}


@pytest.mark.parametrize("name", ["sure_above", "expert_above"])
def test_wrong_numbers_are_refused(name):
    with pytest.raises(ValueError, match=rf"^expert_first: {name}=1.2 is not in \[0, 1\]"):
        ExpertFirstConfig(**{name: 1.2})
