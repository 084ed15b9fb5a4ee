"""Costs of a question: means over questions, intervals over pictures."""

from __future__ import annotations

import pytest

from seal.evaluation.results.costs import cost_table, has_costs, mean_costs
from seal.evaluation.task import TaskQuestion


def line(name, image, seconds, **more):
    models = {"calls": 1, "tokens_read": 10, "tokens_written": 1, "pixels": 9}
    cost = {"answer_model": models, "calls": {"detect": 2}, "visits": 3}
    answer = {"cost": cost | {"seconds": {"show": seconds}}}
    question = TaskQuestion(name, "Which?", image).to_dict()
    return {"question": question, "answer": answer} | more


def counted(name, tokens):
    """A line of an answer model that tells its visual tokens."""
    told = line(name, f"{name}.jpg", 1.0)
    told["answer"]["cost"]["answer_model"]["visual_tokens"] = tokens
    return told


def test_visual_tokens_are_a_cost_of_those_answer_models_that_tell_them():
    silent = mean_costs([line("a", "a.jpg", 1.0)])
    assert "visual_tokens" not in silent and silent["tokens_read"]["value"] == 10
    assert "visual tokens" not in cost_table({"none": silent}).head
    told = mean_costs([counted("a", 30), counted("b", 60), line("c", "c.jpg", 1.0)])
    assert told["visual_tokens"]["value"] == 45
    assert (told["visual_tokens"]["n"], told["visual_tokens"]["invalid"]) == (2, 1)
    table = cost_table({"server": silent, "ours": told})
    place = table.head.index("visual tokens")
    assert [row[place] for row in table.rows] == ["", "45"]


def test_questions_of_one_picture_are_no_independent_evidence_of_a_cost():
    alone = [line(f"{i}", f"{i}.jpg", 10 * (i % 2)) for i in range(40)]
    together = [line(f"{i}", f"{i % 4}.jpg", 10 * (i % 2)) for i in range(40)]
    wide, narrow = (mean_costs(lines)["seconds"] for lines in (together, alone))
    assert wide["value"] == narrow["value"] == 5.0 and wide["n"] == 40
    assert wide["high"] - wide["low"] > 2 * (narrow["high"] - narrow["low"])


@pytest.mark.parametrize("lost", [{"answer": None}, {"answer": {"text": "A"}}])
def test_what_has_no_cost_is_counted_and_in_no_mean(lost):
    costs = mean_costs([line("a", "a.jpg", 2.0), line("b", "b.jpg", 4.0, **lost)])
    assert (costs["seconds"]["value"], costs["seconds"]["n"]) == (2.0, 1)
    assert costs["seconds"]["invalid"] == 1 and costs["search_calls"]["value"] == 2.0


@pytest.mark.parametrize(
    ("value", "written"), [(12544.4, "12,544"), (333.567, "334"), (0.021193, "0.0212"), (2.0, "2")]
)
def test_costs_are_written_as_people_write_numbers(value, written):
    costs = mean_costs([line("a", "a.jpg", value)])
    assert cost_table({"none": costs}).rows[0][-1] == written


def test_answers_of_other_programs_have_no_costs_to_show():
    recorded = mean_costs([line("a", "a.jpg", 2.0, answer={"text": "A"})])
    assert not has_costs({"answers": recorded})
    assert has_costs({"answers": recorded, "none": mean_costs([line("a", "a.jpg", 2.0)])})
