from __future__ import annotations

import pytest

from seal.evaluation.published import RowConfig, TableConfig, look_up
from seal.evaluation.result_tables import number, percent
from seal.evaluation.store import write_json

METRIC = {"value": 0.7539, "n": 191, "invalid": 0, "low": 0.688, "high": 0.81}


def test_numbers_carry_their_interval_and_nothing_is_invented():
    assert percent(METRIC) == "75.4 [68.8, 81.0]"
    assert number({**METRIC, "value": 4.65, "low": None}) == "4.65"
    assert percent(None) == percent({**METRIC, "value": None}) == ""


def test_a_row_that_was_not_run_or_not_published_stays_empty(tmp_path):
    write_json(tmp_path / "metrics.json", {"systems": {"guided": {"overall": METRIC}}})
    table = TableConfig(
        title="t",
        columns={"overall": "systems.{system}.overall"},
        rows={
            "SEAL": RowConfig(published={"overall": 75.39}, run=str(tmp_path), system="guided"),
            "BFS": RowConfig(published={}, run=str(tmp_path), system="bfs"),
            "GPT": RowConfig(published={"overall": 54.97}),
            "ours": RowConfig(run=str(tmp_path), system="guided"),
        },
    ).build()
    assert table.head == ("system", "overall", "published", "difference")
    assert table.rows == (
        ("SEAL", "75.39 [68.80, 81.00]", "75.39", "+0.00"),
        ("BFS", "", "", ""),
        ("GPT", "", "54.97", ""),
        ("ours", "75.39 [68.80, 81.00]", "", ""),
    )


def test_a_path_is_followed_or_leads_nowhere():
    metrics = {"strategies": {"guided": {"length": METRIC}}}
    assert look_up(metrics, "strategies.guided.length") == METRIC
    assert look_up(metrics, "strategies.bfs.length") is None
    assert look_up(metrics, "pope") is None


@pytest.mark.parametrize("metric", [{**METRIC, "low": None, "high": None}])
def test_a_number_without_an_interval_is_shown_alone(metric):
    assert percent(metric) == "75.4"
