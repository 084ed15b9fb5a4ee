from __future__ import annotations

import pytest

from seal.evaluation.results.result_tables import (
    benchmark_table,
    detectable_table,
    number,
    paired_table,
    percent,
)
from seal.metrics.intervals import proportion
from seal.metrics.paired import compare

METRIC = {"value": 0.7539, "n": 191, "invalid": 0, "low": 0.688, "high": 0.81}


def run(outcomes, n=10):
    """metrics.json of systems that got the first of n questions right; name -> how many."""
    right = {name: [i < count for i in range(n)] for name, count in outcomes.items()}
    return {
        "task": "t", "protocol": "default", "scoring": "likelihood", "num_questions": n,
        "systems": {
            name: {"overall": {"accuracy": proportion(of, invalid=1).to_dict(), "ties": 2}}
            for name, of in right.items()
        },
        "paired": {
            f"{name}_vs_none": {"overall": compare(of, right["none"]).to_dict()}
            for name, of in right.items()
            if name != "none" and "none" in right
        },
    }  # fmt: skip


def test_numbers_carry_their_interval_and_nothing_is_invented():
    assert percent(METRIC) == "75.4 [68.8, 81.0]"
    assert percent(METRIC, 2) == "75.39 [68.8, 81.0]"  # more of the interval would say nothing
    assert number({**METRIC, "value": 4.65, "low": None}) == "4.65"
    assert percent(None) == percent({**METRIC, "value": None}) == ""


@pytest.mark.parametrize("metric", [{**METRIC, "low": None, "high": None}])
def test_a_number_without_an_interval_is_shown_alone(metric):
    assert percent(metric) == "75.4"


def test_every_system_says_over_how_many_questions_and_how_many_were_of_no_use():
    table = benchmark_table(run({"none": 2, "guided": 8}))
    assert table.head == ("system", "overall", "n", "invalid", "ties", "vs none (p)")
    assert table.rows[1][0] == "guided" and table.rows[1][2:5] == ("10", "1", "2")
    assert table.rows[1][5].startswith("+60.0 [") and table.rows[1][5].endswith("(0.031)")
    assert table.rows[0][5] == ""


def test_answers_that_wait_for_a_judge_are_told_where_there_are_any():
    metrics = run({"none": 2, "guided": 8})
    assert "not judged" not in benchmark_table(metrics).head
    metrics["systems"]["guided"]["overall"]["ungraded"] = 3
    table = benchmark_table(metrics)
    assert table.head[5] == "not judged" and [row[5] for row in table.rows] == ["0", "3"]
    assert table.rows[1][6].startswith("+60.0 [")


def test_points_are_no_percent():
    metrics = run({"none": 2, "guided": 8})
    metrics |= {"task": "mme", "main": "score"}
    for of in metrics["systems"].values():
        of["overall"]["score"] = {**METRIC, "value": 1508.67, "low": 1400.0, "high": 1600.0}
    table = benchmark_table(metrics)
    assert "percent" not in table.title and table.rows[0][1] == "1508.7 [1400.0, 1600.0]"


def test_a_share_above_one_is_still_a_share():
    metrics = run({"none": 2})
    metrics |= {"task": "llava_bench", "main": "relative"}
    metrics["systems"]["none"]["overall"]["relative"] = {**METRIC, "value": 1.05}
    assert benchmark_table(metrics).rows[0][1].startswith("105.0 [")


def test_many_splits_stand_below_one_another():
    metrics = run({"none": 2, "guided": 8})
    for of in metrics["systems"].values():
        of |= {f"part {i}": of["overall"] for i in range(9)}
    del metrics["systems"]["none"]["part 3"]  # not asked there
    table = benchmark_table(metrics)
    assert table.head == ("split", "none", "guided")
    by_name = {row[0]: row[1:] for row in table.rows}
    assert list(by_name)[-5:] == ["overall", "n", "invalid", "ties", "vs none (p)"]
    assert by_name["part 3"] == ("", by_name["overall"][1])
    assert by_name["n"] == ("10", "10") and by_name["vs none (p)"][0] == ""


def test_a_paired_test_tells_what_could_have_been_seen():
    paired = run({"none": 20, "guided": 80}, n=100)["paired"]
    (row,) = paired_table(paired).rows
    assert row[:3] == ("guided - none", "overall", "100")
    assert row[4:6] == ("60", "0") and row[7] == "McNemar, exact"
    assert row[8] == f"{100 * paired['guided_vs_none']['overall']['detectable']:.1f}"
    kept = ("difference", "only_first", "only_second", "p_value")  # of a run of before
    old = {key: paired["guided_vs_none"]["overall"][key] for key in kept}
    assert paired_table({"guided_vs_none": {"overall": old}}).rows[0][8] == ""


def test_the_size_of_a_benchmark_says_what_it_can_show():
    told = {
        "overall": {
            "n": 800, "clusters": 200, "discordant": 0.2, "value": 0.0457, "at_worst": 0.0912,
        },
        "of before": {"n": 5, "discordant": 0.2, "value": None},
    }  # fmt: skip
    assert detectable_table(told).rows == (
        ("of before", "5", "", "20", "", ""), ("overall", "800", "200", "20", "4.6", "9.1"),
    )  # fmt: skip
