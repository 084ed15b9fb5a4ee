"""Which levels were chosen: counts by kind, tokens, and whether small things get finer levels."""

from __future__ import annotations

import numpy as np
import pytest
from granularity_lines import asked, line
from scipy.stats import spearmanr

from seal.evaluation.judged import own_and_overall
from seal.evaluation.results.chosen_levels import (
    chosen_levels,
    forced_level,
    rank_correlation,
    visual_tokens,
)


def routed():
    """Small things at 576 or 144, large ones at 36; crops of the last two."""
    questions = [asked(i, split=("a", "b")[i % 2], side=4 + 4 * i) for i in range(6)]
    levels = [(576,), (576,), (144,), (36,), (36, 144), (36, 576, 144)]
    return [
        line(q, "guided@auto", right=True, levels=of)
        for q, of in zip(questions, levels, strict=True)
    ]


def test_levels_are_counted_by_kind_for_the_image_and_for_crops():
    lines = routed()
    forced = [line(asked(i), "guided@36", right=True, levels=(36,)) for i in range(6)]
    ruled = [line(asked(i), "guided@consistent", right=True) for i in range(6)]
    found = chosen_levels(
        {"guided@auto": lines, "guided@36": forced, "guided@consistent": ruled}, own_and_overall
    )
    assert list(found) == ["guided@auto"]
    of = found["guided@auto"]
    assert of["levels"] == [36, 144, 576]
    everything = of["kinds"]["all"]["all"]
    assert everything["n"] == 6
    assert everything["whole"] == {"36": 3, "144": 1, "576": 2}
    assert everything["crops"] == {"36": 0, "144": 2, "576": 1}
    tokens = [576, 576, 144, 36, 180, 756]
    assert everything["visual_tokens"]["value"] == pytest.approx(np.mean(tokens))
    assert of["kinds"]["split"]["b"]["whole"] == {"36": 2, "144": 0, "576": 1}
    assert of["kinds"]["split"]["b"]["visual_tokens"]["value"] == pytest.approx(
        (576 + 36 + 756) / 3
    )
    assert sum(kind["n"] for kind in of["kinds"]["object size"].values()) == 6
    level = [576, 576, 144, 36, 36, 36]
    expected = spearmanr(level, [4 + 4 * i for i in range(6)]).statistic
    assert of["size"]["value"] == pytest.approx(expected) and of["size"]["value"] < -0.9


def test_questions_without_an_answer_and_tokens_nobody_counted_are_left_out():
    lines = routed()
    lines[0]["answer"] = None
    del lines[1]["answer"]["cost"]["answer_model"]["visual_tokens"]
    (of,) = chosen_levels({"none": lines}, own_and_overall).values()
    everything = of["kinds"]["all"]["all"]
    assert everything["n"] == 5 and everything["visual_tokens"]["n"] == 4
    assert everything["visual_tokens"]["invalid"] == 1
    assert visual_tokens(lines[0]) is None


def test_every_wording_of_a_question_counts():
    (one,) = lines = [line(asked(0), "none", right=True, levels=(36, 144))]
    one["answer"]["levels_each"] = [[36, 144], [576, 144]]
    (of,) = chosen_levels({"none": lines}, own_and_overall).values()
    everything = of["kinds"]["all"]["all"]
    assert everything["n"] == 1 and everything["whole"] == {"36": 1, "144": 0, "576": 1}
    assert everything["crops"] == {"36": 0, "144": 2, "576": 0}


def test_a_level_that_the_run_names_was_not_chosen():
    lines = [line(asked(i), "none", right=True, levels=(36,)) for i in range(3)]
    lines[0]["answer"] = None
    for shown, forced in (("auto", None), (36, 36)):
        for one in lines[1:]:
            one["answer"]["answered_by"] = {"granularity": shown}
        assert forced_level("none", lines) == forced
        assert forced_level("none@144", lines) == 144
        assert list(chosen_levels({"none": lines}, own_and_overall)) == ([] if forced else ["none"])


def test_lines_without_levels_say_nothing():
    assert chosen_levels({"none": [line(asked(1), "none", right=True)]}, own_and_overall) == {}


@pytest.mark.parametrize(
    ("name", "level"),
    [("none@36", 36), ("none@auto", None), ("none", None), ("36", None), ("guided@router", None)],
)
def test_a_name_forces_the_level_behind_its_mark(name, level):
    assert forced_level(name) == level


def test_the_rank_correlation_has_an_interval_that_resamples_pictures():
    rng = np.random.default_rng(0)
    sizes = rng.normal(size=200)
    levels = np.digitize(-sizes + rng.normal(size=200), [-1, 0, 1])
    alone = rank_correlation(levels, sizes, clusters=[str(i) for i in range(200)])
    assert alone.value == pytest.approx(spearmanr(levels, sizes).statistic)
    assert alone.low < alone.value < alone.high < 0
    # Every item four times over, four in a picture: no more is known than of one of each.
    fourfold = rank_correlation(
        np.repeat(levels, 4), np.repeat(sizes, 4), clusters=[str(i // 4) for i in range(800)]
    )
    assert fourfold.value == pytest.approx(alone.value)
    assert fourfold.high - fourfold.low == pytest.approx(alone.high - alone.low, rel=0.05)


def test_levels_that_are_all_the_same_have_no_correlation():
    assert rank_correlation([36, 36], [1, 2], clusters=["a", "b"]) is None
