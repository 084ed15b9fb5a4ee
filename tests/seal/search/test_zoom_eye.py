"""Worked by hand: what the zooming search visits, when it stops, and what it costs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from random_search import RandomModel, visits
from scripted_confidences import ScriptedConfidences

from seal.geometry import Box
from seal.search.config import SearchConfig
from seal.search.driver import run_searches
from seal.search.zoom_eye import ZoomEye
from seal.search.zoom_eye_config import ZoomEyeConfig

IMAGE = Image.new("1", (800, 800))
ROOT = (0, 0, 800, 800)
A, B, C, D = (0, 0, 400, 400), (400, 0, 800, 400), (0, 400, 400, 800), (400, 400, 800, 800)
# The parts of B.
BA, BB, BC, BD = (400, 0, 600, 200), (600, 0, 800, 200), (400, 200, 600, 400), (600, 200, 800, 400)
QUESTION = "What color is the mug?"


def config(**numbers):
    """200 x 200 is the smallest region: an image of 800 x 800 has two levels below it."""
    return SearchConfig(min_size=200, zoom_eye=ZoomEyeConfig(**numbers))


def search(model, image=IMAGE, question=QUESTION, num_targets=1, asks=True, **numbers):
    strategy = ZoomEye(config(**numbers), asks=asks)
    return run_searches([strategy.explore(image, "mug", question, num_targets)], model)[0]


def path(result):
    return [node.box.as_ints() for node in result.path]


def test_a_search_worked_by_hand():
    model = ScriptedConfidences(
        existing={A: 0.9, B: 0.5, BB: 0.7},
        latent={A: 0.0, B: 0.9, D: 0.7, BB: 0.7},
        answering={BB: 0.85},
    )
    result = search(model)
    # Two levels: existing weighs (1 - 0.2) / 4 * 1 + 0.2 = 0.4 at the halves, 1 at the quarters.
    # A: 0.4 * 0.9 + 0.6 * 0 = 0.36; B: 0.2 + 0.54 = 0.74; C: 0.1; D: 0.04 + 0.42 = 0.46.
    # B goes first. Its parts: BB 0.7, the others 0.1: BB is next, and 0.85 >= 0.8.
    assert path(result) == [ROOT, B, BB]
    assert [node.score for node in result.path] == pytest.approx([0, 0.74, 0.7])
    assert (result.found, result.boxes, result.scores) == (True, [Box(*BB)], [0.85])
    assert (result.best_box, result.num_steps) == (Box(*BB), 3)
    # One answering confidence a visit; existing and latent of four children, at two expansions.
    assert result.calls == {"answering": 3, "existing": 8, "latent": 8}
    assert {text for kind, _, text in model.asked if kind == "answering"} == {QUESTION}
    assert {text for kind, _, text in model.asked if kind != "answering"} == {"mug"}
    # The children are asked about together.
    assert model.batches[:3] == [("answering", 1), ("existing", 4), ("latent", 4)]


def test_the_weight_of_what_is_seen_grows_with_depth():
    numbers = ZoomEyeConfig(existing_bias=0.2)
    # (1 - 0.2) / 4^2 * d^2 + 0.2
    weights = [numbers.existing_weight(depth, 4) for depth in range(5)]
    assert weights == pytest.approx([0.2, 0.25, 0.4, 0.65, 1.0])
    assert numbers.existing_weight(0, 0) == 1.0  # a tree of the root alone


def test_the_threshold_falls_once_for_every_level_of_the_tree():
    numbers = ZoomEyeConfig()
    falling = [numbers.threshold_at(step, 2) for step in range(6)]
    assert falling == pytest.approx([0.8, 0.8, 0.75, 0.75, 0.7, 0.7])
    assert numbers.final_threshold == pytest.approx(0.6)


def test_a_region_seen_before_counts_once_the_threshold_falls_to_it():
    model = ScriptedConfidences(latent={A: 0.9, B: 0.5}, answering={A: 0.72})
    result = search(model)
    # A has 0.72. Steps 0-1 want 0.8, 2-3 want 0.75, step 4 wants 0.7: it ends with A, step 1.
    assert len(result.path) == 5
    assert (result.found, result.boxes, result.num_steps) == (True, [Box(*A)], 2)


def test_the_budget_is_three_steps_a_level_and_the_last_is_not_expanded():
    model = ScriptedConfidences(latent={A: 0.9, C: 0.8, D: 0.7, B: 0.6})
    result = search(model)
    # Six steps: the root, then the four halves (0.54 + ..., above all quarters at 0.1), and one
    # quarter: the first that was pushed, A's first part.
    assert path(result) == [ROOT, A, C, D, B, (0, 0, 200, 200)]
    assert (result.found, result.boxes, result.num_steps) == (False, [], 1)
    assert result.best_box == Box(*ROOT)  # all equally unsure: the first
    # Root and four halves are expanded, five times four.
    assert result.calls == {"answering": 6, "existing": 20, "latent": 20}
    assert result.config["max_steps"] == 6 and result.config["levels"] == 2
    short = search(ScriptedConfidences(latent={A: 0.9}), steps_per_level=1)
    assert path(short) == [ROOT, A]
    assert short.calls == {"answering": 2, "existing": 4, "latent": 4}


def test_what_is_left_at_the_end_is_taken_from_the_last_threshold_on():
    sure = {A: 0.55, B: 0.62, C: 0.61}
    model = ScriptedConfidences(latent={A: 0.9, B: 0.8, C: 0.7, D: 0.6}, answering=sure)
    result = search(model)
    assert len(result.path) == 6
    assert (result.boxes, result.scores, result.num_steps) == ([Box(*B)], [0.62], 3)
    model.sure["answering"] = {A: 0.55}
    result = search(model)
    assert (result.found, result.boxes) == (False, [])
    assert (result.best_box, result.best_score) == (Box(*A), 0.55)  # told as the best guess


def test_a_tree_that_is_all_visited_ends_the_search():
    image = Image.new("1", (400, 400))
    result = search(ScriptedConfidences(), image=image, steps_per_level=9)
    assert len(result.path) == 5 < result.config["max_steps"] == 9
    assert not result.found


def test_equal_priorities_are_visited_in_raster_order():
    result = search(ScriptedConfidences())
    assert path(result) == [ROOT, A, B, C, D, (0, 0, 200, 200)]


def test_a_whole_image_that_answers_settles_the_search():
    model = ScriptedConfidences(answering={ROOT: 0.8})
    result = search(model)
    assert (result.found, result.settled, result.boxes) == (False, True, [])
    assert result.best_box is None
    assert result.calls == {"answering": 1}


def test_several_targets_are_asked_about_one_by_one():
    model = ScriptedConfidences(answering={ROOT: 0.9})
    result = search(model, num_targets=2)
    asked = "What is the appearance of the mug?"
    assert model.asked == [("answering", ROOT, asked)]
    assert result.config["question"] == asked
    model = ScriptedConfidences(answering={ROOT: 0.9})
    search(model, num_targets=2, target_question="Where is the {target}?")
    assert model.asked[0][2] == "Where is the mug?"


@pytest.mark.parametrize(
    "question, asks, numbers",
    [("", True, {}), (QUESTION, False, {}), (QUESTION, True, {"stop_by": "existing"})],
)
def test_without_a_question_the_target_is_sought_until_it_is_seen(question, asks, numbers):
    model = ScriptedConfidences(existing={ROOT: 0.3, B: 0.85}, latent={B: 0.9})
    result = search(model, question=question, asks=asks, **numbers)
    assert path(result) == [ROOT, B]
    assert (result.found, result.boxes, result.scores) == (True, [Box(*B)], [0.85])
    # The root's own, and its children's, of which B's is not asked again.
    assert result.calls == {"existing": 5, "latent": 4}


def test_the_whole_image_is_found_where_nobody_asks():
    result = search(ScriptedConfidences(existing={ROOT: 0.9}), question="")
    assert (result.found, result.settled, result.boxes) == (True, False, [Box(*ROOT)])


def test_the_target_is_boxed_in_the_region_where_the_guide_sees_it():
    mug = (650, 50, 700, 90)
    script = {"latent": {B: 0.9}, "answering": {B: 0.9}}
    model = ScriptedConfidences(boxes={B: [((420, 10, 430, 20), 0.2), (mug, 0.6)]}, **script)
    result = search(model, box="detect")
    assert (result.boxes, result.scores, result.num_steps) == ([Box(*mug)], [0.9], 2)
    assert model.regions("detect") == [B]
    assert result.calls["detect"] == 1
    unseen = ScriptedConfidences(boxes={B: [(mug, 0.2)]}, **script)  # below confidence_low
    assert search(unseen, box="detect").boxes == [Box(*B)]
    assert "detect" in ZoomEye(config(box="detect")).needs


def test_several_instances_are_regions_none_inside_another():
    model = ScriptedConfidences(
        latent={A: 0.9, D: 0.8, B: 0.7},
        existing={(0, 0, 200, 200): 0.9},
        answering={A: 0.82, (0, 0, 200, 200): 0.95, D: 0.81},
    )
    result = search(model, instances=2)
    # A at step 1 is one; its first part is surer, and still one; D makes two.
    assert path(result) == [ROOT, A, (0, 0, 200, 200), D]
    assert result.boxes == [Box(0, 0, 200, 200), Box(*D)]
    assert result.num_steps == 3
    assert search(model, instances=3).boxes == result.boxes  # as many as there are, at the end


@pytest.mark.parametrize(
    "size, levels",
    [
        ((800, 800), 2),
        ((200, 200), 0),
        ((1600, 400), 2),  # four strips of 400 x 400, then quarters
        ((801, 801), 3),  # the last part has 401, and of that the last 201: one more level
        ((12000, 12000), 5),  # max_depth
    ],
)
def test_levels_are_those_of_the_deepest_region(size, levels):
    result = search(ScriptedConfidences(default=0.0), image=Image.new("1", size))
    assert result.config["levels"] == levels
    assert result.config["max_steps"] == max(1, 3 * levels)


def test_a_wide_image_is_cut_into_strips():
    result = search(ScriptedConfidences(), image=Image.new("1", (1600, 400)))
    assert path(result)[1:5] == [(400 * i, 0, 400 * (i + 1), 400) for i in range(4)]


@given(
    width=st.integers(1, 900),
    height=st.integers(1, 900),
    seed=st.integers(0, 1000),
    confidence=st.sampled_from([0.5, 0.9, 1.0]),
    numbers=st.fixed_dictionaries(
        {
            "max_depth": st.integers(1, 4),
            "min_size": st.integers(20, 200),
            "steps_per_level": st.integers(1, 5),
            "instances": st.integers(1, 3),
            "box": st.sampled_from(["patch", "detect"]),
            "existing_bias": st.floats(0, 1),
        }
    ),
    question=st.sampled_from(["", QUESTION]),
)
@settings(max_examples=60, deadline=None)
def test_no_region_is_visited_twice_and_the_budget_is_kept(
    width, height, seed, confidence, numbers, question
):
    image = Image.new("1", (width, height))
    result = search(RandomModel(seed, confidence), image=image, question=question, **numbers)
    boxes = [node.box for node in result.path]
    assert len(set(boxes)) == len(boxes) <= result.config["max_steps"]
    whole = Box(0, 0, width, height)
    for box in (*boxes, *result.boxes):
        assert whole.x0 <= box.x0 < box.x1 <= whole.x1 + 1e-3
        assert whole.y0 <= box.y0 < box.y1 <= whole.y1 + 1e-3
    assert all(node.parent is None or node.parent in result.path for node in result.path)
    assert all(
        node.depth - 1 <= min(numbers["max_depth"], result.config["levels"]) for node in result.path
    )
    assert result.found == bool(result.boxes) and not (result.found and result.settled)
    assert len(result.boxes) <= numbers["instances"]
    # As soon as something is chosen it ends: what was visited before reached no threshold then.
    if result.found and numbers["instances"] == 1:
        assert (
            result.scores[0]
            >= result.config["stop_threshold"] - sum(result.config["threshold_falls"]) - 1e-12
        )


def test_searches_side_by_side_are_what_they_are_alone():
    images = [Image.new("1", size) for size in [(640, 480), (300, 220), (500, 200), (96, 320)]]
    strategy = ZoomEye(config(min_size=60, stop_threshold=0.9))

    def explore():
        return [strategy.explore(image, "mug", QUESTION) for image in images]

    alone = [visits(run_searches([each], RandomModel(7, 0.95))[0]) for each in explore()]
    for options in ({}, {"lookahead": 3}, {"concurrency": 2}, {"max_batch": 3}):
        model = RandomModel(7, 0.95)
        together = run_searches(explore(), model, **options)
        assert [visits(result) for result in together] == alone
        assert max(size for _, size in model.batches) <= options.get("max_batch", 16)


@pytest.mark.parametrize(
    "numbers, message",
    [
        ({"max_depth": 0}, "max_depth=0 must be at least 1"),
        ({"steps_per_level": 0}, "steps_per_level=0"),
        ({"instances": 0}, "instances=0"),
        ({"min_size": 0}, "min_size=0 must be at least 1; null takes"),
        ({"existing_bias": 1.5}, r"existing_bias=1.5 is not in \[0, 1\]"),
        ({"stop_threshold": 1.2}, "stop_threshold=1.2"),
        ({"stop_threshold": 0.1}, "less threshold_falls=.* must stay from 0 to 1"),
        ({"threshold_falls": [0.1, -0.1]}, "must not rise"),
        ({"box": "crop"}, "box='crop' is none of patch, detect"),
        ({"stop_by": "latent"}, "stop_by='latent' is none of answering, existing"),
        ({"target_question": "What is it?"}, "must name {target} once"),
        ({"target_question": "{target} {other}"}, "and no other"),
    ],
)
def test_wrong_numbers_are_refused(numbers, message):
    with pytest.raises(ValueError, match=f"^zoom_eye: .*{message}"):
        ZoomEyeConfig(**numbers)


def test_a_confidence_that_is_no_probability_is_a_bug_of_the_model():
    with pytest.raises(AssertionError, match=r"confidence 1\.5"):
        search(ScriptedConfidences(answering={ROOT: 1.5}))
