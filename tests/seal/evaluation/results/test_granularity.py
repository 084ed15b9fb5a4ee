"""A router against fixed levels, chance and hindsight: numbers by hand, and what chance does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from granularity_lines import asked, line

from seal.evaluation.named_tasks import task_named
from seal.evaluation.results.granularity import HINDSIGHT, RANDOM, compare_granularities
from seal.evaluation.results.granularity_report import granularity_tables, granularity_verdicts
from seal.evaluation.results.results_page import write_results
from seal.evaluation.run_metrics import benchmark_metrics
from seal.evaluation.store import write_json
from seal.evaluation.tables.measured import run_cell

CONF = Path(__file__).parents[4] / "conf"
LEVELS = (4, 16, 64)
# Who is right at each level, and what the router chose.
RIGHT = ((1, 1, 1), (0, 1, 1), (0, 0, 1), (1, 0, 0))
CHOSEN = (4, 64, 64, 4)


def lines_of(right=RIGHT, chosen=CHOSEN, search="none", auto="auto", per_image=1):
    """By system: every level forced, and the router."""
    questions = [asked(i, image=f"{i // per_image}.jpg") for i in range(len(right))]
    by_system = {
        f"{search}@{level}": [
            line(q, f"{search}@{level}", right=bool(of[place]), levels=(level,))
            for q, of in zip(questions, right, strict=True)
        ]
        for place, level in enumerate(LEVELS)
    }
    name = f"{search}@{auto}"
    by_system[name] = [
        line(q, name, right=bool(of[LEVELS.index(level)]), levels=(level,))
        for q, of, level in zip(questions, right, chosen, strict=True)
    ]
    return by_system


def earned_of(by_system):
    return {
        name: {
            one["id"]: (float(one["answer"]["losses"][0] < 0.5), one["question"]["image"])
            for one in of
        }
        for name, of in by_system.items()
    }


def compared(by_system, **more):
    return compare_granularities(by_system, earned_of(by_system), **more)


def value(metric):
    return pytest.approx(metric["value"])


def test_credit_and_tokens_of_chance_and_hindsight_are_those_of_a_count_by_hand():
    found = compared(lines_of())
    assert list(found) == ["none@auto"]
    of = found["none@auto"]
    assert (of["n"], of["levels"], of["finest"]) == (4, [4, 16, 64], "none@64")
    systems = of["systems"]
    assert value(systems["none@auto"]["credit"]) == 1
    assert value(systems["none@auto"]["visual_tokens"]) == (4 + 64 + 64 + 4) / 4
    assert of["random"]["chosen"] == of["random"]["shares"] == {"4": 0.5, "16": 0, "64": 0.5}
    # Of the questions, each half of the time at 4, half at 64: 1, 1/2, 1/2, 1/2.
    assert value(systems[RANDOM]["credit"]) == 2.5 / 4
    assert value(systems[RANDOM]["visual_tokens"]) == 34
    assert of["random"]["versus"]["difference"]["value"] == pytest.approx(1 - 2.5 / 4)
    assert of["random"]["versus"]["tokens"]["value"] == 1
    assert value(systems[HINDSIGHT]["credit"]) == 1
    assert value(systems[HINDSIGHT]["visual_tokens"]) == (4 + 16 + 64 + 4) / 4
    finest = of["versus"]["none@64"]
    assert finest["difference"]["value"] == 0.25
    assert (finest["only_first"], finest["only_second"]) == (1, 0)
    assert finest["tokens"]["value"] == pytest.approx(34 / 64)
    assert of["versus"]["none@4"]["difference"]["value"] == 0.5
    assert systems["none@4"]["seconds"]["value"] == 0.75
    assert systems[RANDOM]["seconds"]["value"] is None  # nobody spent them


def test_the_expected_credit_is_the_mean_of_many_draws():
    rng = np.random.default_rng(3)
    right = rng.random((60, 3)) < (0.3, 0.5, 0.8)
    chosen = rng.choice(LEVELS, 60, p=(0.5, 0.2, 0.3))
    of = compared(lines_of(right, chosen.tolist()))["none@auto"]
    draws = rng.choice(chosen, (20_000, 60))  # each question from the router's own choices
    places = np.searchsorted(LEVELS, draws)
    drawn = right[np.arange(60), places].mean()
    assert of["systems"][RANDOM]["credit"]["value"] == pytest.approx(drawn, abs=2e-3)
    assert of["systems"][RANDOM]["visual_tokens"]["value"] == pytest.approx(draws.mean(), abs=0.2)


@pytest.mark.parametrize(("chosen", "end"), [((4, 4, 64, 64), 2), ((64, 64, 4, 4), 0)])
def test_pictures_of_several_sizes_cost_chance_what_they_cost_the_router(chosen, end):
    tiles = (1, 2, 3, 5)
    by_system = lines_of(RIGHT, chosen)
    for of in by_system.values():
        for one, count in zip(of, tiles, strict=True):
            one["answer"]["cost"]["answer_model"]["visual_tokens"] *= count
    of = compared(by_system)["none@auto"]
    random, systems = of["random"], of["systems"]
    assert random["chosen"] == {"4": 0.5, "16": 0, "64": 0.5}
    assert random["versus"]["tokens"]["value"] == pytest.approx(1)
    tokens = np.mean([level * count for level, count in zip(chosen, tiles, strict=True)])
    assert systems[RANDOM]["visual_tokens"]["value"] == pytest.approx(tokens)
    weights = np.array(list(random["shares"].values()))
    assert weights.sum() == pytest.approx(1) and weights[1] == 0 and weights[end] > 0.5
    assert weights @ LEVELS * np.mean(tiles) == pytest.approx(tokens)
    credit = (np.array(RIGHT) @ weights).mean()
    assert systems[RANDOM]["credit"]["value"] == pytest.approx(credit)


def test_a_finer_level_may_be_the_cheaper_one():
    """As released, of a long picture: at some levels its rows are cut away."""
    by_system = lines_of(((1, 1, 1), (1, 1, 0), (0, 1, 1), (0, 1, 0)), (4, 64, 4, 4))
    cost = {4: 40, 16: 20, 64: 100}
    for of in by_system.values():
        for one in of:
            spent = one["answer"]["cost"]["answer_model"]
            spent["visual_tokens"] = cost[one["answer"]["levels"][0]]
    by_system["none@auto"][0]["answer"]["cost"]["answer_model"]["visual_tokens"] = 0
    of = compared(by_system)["none@auto"]
    assert value(of["systems"][HINDSIGHT]["visual_tokens"]) == 20
    spent = (0 + 100 + 40 + 40) / 4
    assert value(of["systems"][RANDOM]["visual_tokens"]) == spent
    assert of["random"]["shares"]["16"] > 0  # towards the cheapest


def test_one_shuffle_keeps_the_levels_and_is_seeded():
    rng = np.random.default_rng(5)
    right = rng.random((40, 3)) < (0.3, 0.5, 0.8)
    chosen = rng.choice(LEVELS, 40).tolist()
    by_system = lines_of(right, chosen)
    first, again, other = (
        compared(by_system, seed=seed)["none@auto"]["random"]["permuted"] for seed in (1, 1, 2)
    )
    assert first == again and first["difference"]["value"] != other["difference"]["value"]
    assert first["test"] == "mcnemar" and first["tokens"]["value"] == 1  # the same levels
    shuffled = np.random.default_rng(1).permutation(np.searchsorted(LEVELS, chosen))
    own = right[np.arange(40), np.searchsorted(LEVELS, chosen)]
    expected = own.mean() - right[np.arange(40), shuffled].mean()
    assert first["difference"]["value"] == pytest.approx(expected)


def test_a_router_that_knows_beats_chance_and_one_that_does_not_does_not():
    rng = np.random.default_rng(7)
    hard = rng.random(100) < 0.5
    right = np.stack([~hard, ~hard, np.ones(100, bool)], axis=1)
    knowing = np.where(hard, 64, 4)
    guessing = rng.permutation(knowing)
    good = compared(lines_of(right, knowing.tolist()))["none@auto"]
    poor = compared(lines_of(right, guessing.tolist()))["none@auto"]
    assert good["random"]["versus"]["p_value"] < 1e-3
    assert good["random"]["permuted"]["mcnemar_p_value"] < 1e-6
    assert poor["random"]["versus"]["p_value"] > 0.05
    assert good["versus"]["none@64"]["difference"]["value"] == 0
    assert good["versus"]["none@64"]["tokens"]["value"] < 0.6


def test_where_every_level_is_right_chance_is_as_good_to_the_last_digit():
    right = [(1, 1, 1)] * 7
    of = compared(lines_of(right, [4, 4, 4, 16, 16, 16, 64]))["none@auto"]["random"]["versus"]
    assert (of["difference"]["value"], of["p_value"]) == (0, 1)
    assert (of["only_first"], of["only_second"]) == (0, 0)


def test_questions_of_one_picture_are_one_cluster():
    right, chosen = RIGHT * 4, CHOSEN * 4
    alone = compared(lines_of(right, chosen))["none@auto"]
    pairs = compared(lines_of(right, chosen, per_image=2))["none@auto"]
    assert (
        alone["versus"]["none@4"]["clusters"] == 16 and pairs["versus"]["none@4"]["clusters"] == 8
    )
    assert pairs["random"]["versus"]["clusters"] == 8


def test_systems_of_one_search_are_compared_and_of_another_are_not():
    both = lines_of() | lines_of(search="guided", auto="router")
    ruled = [line(asked(i), "guided@consistent", right=i < 3) for i in range(4)]
    found = compared(both | {"guided@consistent": ruled, "oracle@auto": both["none@auto"]})
    assert list(found) == ["none@auto", "guided@router"]
    assert {*found["none@auto"]["versus"]} == {f"none@{level}" for level in LEVELS}
    assert "guided@consistent" in found["guided@router"]["versus"]
    assert found["guided@router"]["versus"]["guided@consistent"]["tokens"] is None  # not counted


def test_a_system_that_shows_pictures_as_the_run_says_is_one_of_its_search():
    by_system = lines_of()
    router = {"none": by_system.pop("none@auto")}
    of = compared(router | by_system)["none"]  # granularity=auto, or a model's own router
    assert {*of["versus"]} == {*by_system} and of["random"]["chosen"]["4"] == 0.5
    for name, level in (("none", 16), ("none@4", 4)):
        for one in (router | by_system)[name]:
            one["answer"]["answered_by"] = {"granularity": level}
    assert compared(router | by_system) == {}  # granularity=16: nothing was chosen


def test_a_level_that_others_read_finer_is_not_called_the_finest():
    by_system = lines_of()
    del by_system["none@64"]
    of = compared(by_system)["none@auto"]
    assert of["levels"] == [4, 16] and of["finest"] is None
    assert not any("finest" in one for one in granularity_verdicts({"granularity": {"a": of}}))


def test_a_picture_that_nobody_could_open_and_a_text_leave_the_others_comparable():
    by_system = lines_of((*RIGHT, (0, 0, 0), (1, 1, 1)), (*CHOSEN, 4, 4))
    for of in by_system.values():
        of[4]["answer"] = None
        of[5]["question"]["image"] = None
        del of[5]["answer"]["levels"]
    earned = {
        name: {one["id"]: (float(i in (0, 5)), str(i)) for i, one in enumerate(of)}
        for name, of in by_system.items()
    }
    of = compare_granularities(by_system, earned)["none@auto"]
    assert of["n"] == 4 and of["random"]["chosen"] == {"4": 0.5, "16": 0, "64": 0.5}


def test_wordings_of_one_question_may_be_read_at_different_levels():
    by_system = lines_of()
    for one, each in zip(by_system["none@auto"], ([4, 16], [64, 64], [64, 4], [4, 4]), strict=True):
        one["answer"]["levels_each"] = [[level] for level in each]
    random = compared(by_system)["none@auto"]["random"]
    assert random["chosen"] == {"4": 0.5, "16": 0.125, "64": 0.375}
    rows = np.array([[0.5, 0.5, 0], [0, 0, 1], [0.5, 0, 0.5], [1, 0, 0]])
    drawn = np.random.default_rng(0).permutation(rows)
    expected = 1 - (drawn * RIGHT).sum(1).mean()
    assert random["permuted"]["difference"]["value"] == pytest.approx(expected)
    by_system["none@auto"][0]["answer"]["levels_each"] = [[4], [16, 64]]
    assert "at several levels" in compared(by_system)["none@auto"]["random"]["reason"]


def test_chance_that_cannot_be_told_says_why():
    by_system = lines_of()
    by_system["none@auto"][0]["answer"]["levels"] = [4, 64]
    assert "at several levels" in compared(by_system)["none@auto"]["random"]["reason"]
    by_system = lines_of()
    del by_system["none@4"]
    of = compared(by_system)["none@auto"]
    assert of["random"] == {"reason": "no system of the run forces level 4, which it chose"}
    assert RANDOM not in of["systems"] and "none@64" in of["versus"]


def test_a_router_is_compared_with_a_rule_without_any_forced_level():
    by_system = {"guided@router": lines_of(search="guided", auto="router")["guided@router"]}
    by_system["guided@router"][0]["answer"]["levels"] = [4, 16]
    by_system["guided@consistent"] = [
        line(asked(i), "guided@consistent", right=i < 3, levels=()) for i in range(4)
    ]
    for one in by_system["guided@consistent"]:
        one["answer"]["cost"]["answer_model"]["visual_tokens"] = 68
    found = compared(by_system)
    assert list(found) == ["guided@router"]
    of = found["guided@router"]
    assert of["finest"] is None and "at several levels" in of["random"]["reason"]
    assert of["versus"]["guided@consistent"]["difference"]["value"] == 0.25
    assert of["versus"]["guided@consistent"]["tokens"]["value"] == 0.5
    (table,) = granularity_tables({"granularity": found})
    assert table.head[3] == "percent of guided@consistent's" and table.rows[0][3] == "50.0"
    said = granularity_verdicts({"granularity": found})
    assert said[0].startswith("guided@router minus guided@consistent: +25.0")
    assert "reading 50.0" in said[0] and "cannot be compared with a random router" in said[1]


def test_without_another_way_or_a_common_question_there_is_no_comparison():
    by_system = lines_of()
    assert compared({"none@auto": by_system["none@auto"]}) == {}
    assert compared({"none": by_system["none@auto"], "guided@4": by_system["none@4"]}) == {}
    earned = earned_of(by_system) | {"none@16": {}}
    assert compare_granularities(by_system, earned) == {}


def test_a_runs_metrics_page_and_output_tell_it(tmp_path):
    by_system = lines_of(RIGHT * 10, CHOSEN * 10)
    task = task_named("own").task("")
    metrics = benchmark_metrics(
        task, [one for of in by_system.values() for one in of], baseline="none@64"
    )
    assert metrics["granularity"]["none@auto"]["n"] == 40
    assert metrics["levels"]["none@auto"]["kinds"]["all"]["all"]["whole"] == {"4": 20, "64": 20}
    (table,) = granularity_tables(metrics)
    cells = {row[0]: row for row in table.rows}
    assert list(cells) == ["none@4", "none@16", "none@64", "none@auto", RANDOM, HINDSIGHT]
    assert cells["none@auto"][3] == "53.1" and cells[RANDOM][1].startswith("62.5")
    assert cells["none@64"][5].startswith("+25.0")
    said = "\n".join(granularity_verdicts(metrics))
    assert "none@auto minus none@64, always the finest: +25.0" in said
    assert "reading 53.1" in said and "minus a random router" in said and "McNemar" in said
    text = write_results(tmp_path, metrics).read_text()
    assert 'class="stacked"' in text and "levels that none@auto chose" in text
    assert "best level in hindsight: 100.0" in text


def test_runs_without_levels_have_neither_part_nor_numbers(tmp_path):
    lines = [line(asked(i), "none", right=True) for i in range(3)]
    metrics = benchmark_metrics(task_named("own").task(""), lines)
    assert "levels" not in metrics and "granularity" not in metrics
    assert "Granularity" not in write_results(tmp_path, metrics).read_text()


def test_the_table_of_costs_finds_its_numbers_in_a_runs_metrics(tmp_path):
    table = yaml.safe_load((CONF / "table" / "avg_llava_cost.yaml").read_text())
    questions = [asked(i) for i in range(4)]
    lines = [
        line(q, f"none@{shown}", right=shown != "36", levels=(level,), tokens=5 * level)
        for q in questions
        for shown, level in (("auto", 144), ("36", 36), ("576", 576))
    ]
    write_json(tmp_path / "metrics.json", benchmark_metrics(task_named("own").task(""), lines))
    found = {
        name: run_cell(tmp_path, "none@auto", column["path"], "").metric["value"]
        for name, column in table["columns"].items()
    }
    assert found == {
        "visual tokens": 720, "percent of the finest's": 0.25, "seconds": 0.75,
        "credit minus the finest's": 0,
    }  # fmt: skip
