"""A run's page says what metrics.json says, and shows accuracy against every cost."""

from __future__ import annotations

import json
import re

import pytest

from seal.evaluation.results.cost_pictures import add_cost_pictures, measured_systems
from seal.evaluation.results.results_page import write_results
from seal.evaluation.tables.run_table import run_table
from seal.metrics.intervals import mean, proportion
from seal.metrics.paired import compare
from seal.pages.page import Page

PARTS = ("calls", "tokens_read", "tokens_written", "pixels", "search_calls", "steps", "seconds")


def share(count, n=20):
    return proportion([i < count for i in range(n)]).to_dict()


def run(main="accuracy", **systems):
    """metrics.json of systems: name=(right of 20, cost of every part)."""
    right = {name: [i < count for i in range(20)] for name, (count, _) in systems.items()}
    return {
        "task": "t", "task_version": "1", "main": main, "protocol": "default",
        "scoring": "likelihood", "seed": 0, "num_questions": 20, "errors": ["b.jpg is damaged"],
        "systems": {
            name: {split: {main: share(count), "ties": 1} for split in ("small", "overall")}
            for name, (count, _) in systems.items()
        },
        "paired": {
            f"{name}_vs_none": {"overall": compare(of, right["none"]).to_dict()}
            for name, of in right.items()
            if name != "none" and "none" in right
        },
        "detectable": {"overall": {"n": 20, "discordant": 0.2, "value": None}},
        "costs": {
            name: {part: mean([] if cost is None else [cost, cost]).to_dict() for part in PARTS}
            for name, (_, cost) in systems.items()
        },
    }  # fmt: skip


def test_the_page_shows_numbers_tests_costs_and_a_picture_a_cost(tmp_path):
    metrics = run(none=(5, 1.0), guided=(15, 30.0), oracle=(18, 2.0))
    text = write_results(tmp_path, metrics).read_text()
    assert (tmp_path / "results.html").is_file()
    assert "75.0 [53.1, 88.8]" in text  # Wilson's limits of 15 of 20
    assert "guided - none" in text and "McNemar, exact" in text
    assert "error: b.jpg is damaged" in text
    assert text.count('class="scatter"') == 5
    for label in (
        "seconds, as they were spent",
        "calls of models",
        "tokens read and written",
        "search steps",
    ):
        assert f">{label}</text>" in text
    assert all(f">{name}</text>" in text for name in ("none", "guided", "oracle"))


def test_costs_are_summed_of_their_parts_and_unknown_ones_are_not_zero():
    main, systems = measured_systems(run(none=(5, 3.0), old=(6, None)))
    assert main == "accuracy"
    assert (
        systems[0].costs["calls of models"] == 6.0
        and systems[0].costs["seconds, as they were spent"] == 3.0
    )
    assert set(systems[1].costs.values()) == {None}


def test_a_system_without_a_cost_is_named_below_the_picture(tmp_path):
    text = write_results(tmp_path, run(none=(5, 1.0), a=(9, 2.0), old=(6, None))).read_text()
    assert "Not drawn, because no such cost was recorded: old." in text
    assert not re.search(r'class="label"[^>]*>old<', text)


def test_several_runs_share_a_picture_and_are_told_apart():
    page = Page("p")
    add_cost_pictures(page, {"runs/a": run(none=(5, 1.0)), "runs/b": run(none=(7, 9.0))})
    text = page.to_html()
    assert ">runs/a: none</text>" in text and ">runs/b: none</text>" in text
    colors = set(re.findall(r'<circle[^>]*fill="(var[^"]+)"', text))
    assert len(colors) == 2


def test_one_system_alone_needs_no_picture(tmp_path):
    text = write_results(tmp_path, run(none=(5, 1.0))).read_text()
    assert 'class="scatter"' not in text and "cost of a question" in text


def test_a_search_shows_what_it_found_against_what_it_looked_at(tmp_path):
    of = {
        name: {"hit": share(count), "precision": share(9), "false_alarm": share(1),
               "length": mean([1.0, 3.0]).to_dict(), "visits": mean([visits, visits]).to_dict(),
               "model_calls": mean([visits]).to_dict()}
        for name, count, visits in (("guided", 18, 5.0), ("random_bfs", 17, 9.0))
    }  # fmt: skip
    metrics = {
        "task": "visual_search", "protocol": "default", "seed": 0, "num_targets": 20,
        "errors": [], "reference": "guided", "strategies": of,
        "search_length": {
            "common": {name: one["length"] for name, one in of.items()},
            "difference": {"random_bfs": mean([2.0, 4.0]).to_dict()},
        },
    }  # fmt: skip
    text = write_results(tmp_path, metrics).read_text()
    assert "random_bfs - guided" in text and ">regions looked at</text>" in text
    assert text.count('class="scatter"') == 2


@pytest.mark.parametrize("systems", [{}, {"none": (0, 1.0)}])
def test_a_run_of_next_to_nothing_has_a_page_too(tmp_path, systems):
    assert "Results" in write_results(tmp_path, run(**systems)).read_text()


def test_the_same_numbers_make_the_same_page(tmp_path):
    metrics = run(none=(5, 1.0), guided=(15, 30.0))
    first = write_results(tmp_path / "run", metrics).read_bytes()
    again = json.loads(json.dumps(metrics))
    assert write_results(tmp_path / "run", again).read_bytes() == first


def test_graded_answers_name_their_judge(tmp_path):
    metrics = run(none=(5, 1.0)) | {"judge": {"model": "some/judge", "prompt": "v1"}}
    text = write_results(tmp_path, metrics).read_text()
    assert '<th scope="row">judge: model</th><td>some/judge</td>' in text


def test_what_no_evaluation_of_ours_wrote_is_refused():
    with pytest.raises(ValueError, match="with loss is of no evaluation"):
        run_table({"loss": 1.0})


def test_referring_expressions_have_a_table_too():
    of = {"box_accuracy": share(9), "box_iou": mean([0.5, 0.6]).to_dict()}
    metrics = {"num_expressions": 20, "num_images": 4, "sources": {"refcoco": of}}
    assert run_table(metrics).rows[0][:3] == ("refcoco", "45.0 [25.8, 65.8]", "20")
