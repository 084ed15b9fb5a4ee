"""Charts draw what metrics.json says, and nothing where there is nothing to compare."""

from __future__ import annotations

from xml.etree import ElementTree

from seal.evaluation.results.charts import answer_bars, found_curves


def metric(value):
    return {"value": value, "n": 10, "invalid": 0, "low": value - 0.1, "high": value + 0.1}


def run(**values):
    return {
        "task": "t",
        "systems": {
            name: {"overall": {"accuracy": metric(value)}} for name, value in values.items()
        },
    }


def texts(drawn, kind="text"):
    return [e.text for e in ElementTree.fromstring(drawn).iter() if e.tag.endswith(kind)]


def test_systems_have_bars_by_the_names_and_in_the_order_that_are_wanted():
    drawn = answer_bars(
        run(none=0.3, guided=0.8, odd=0.5), names={"guided": "with", "none": "without"}
    )
    assert texts(drawn, "title") == ["with: 80 [70, 90]", "without: 30 [20, 40]"]
    assert "accuracy, percent" in texts(drawn)


def test_one_system_alone_has_no_picture():
    assert answer_bars(run(none=0.3)) == ""


def test_every_strategy_has_a_line_over_the_regions_and_the_reference_is_bold():
    recall = {"1": metric(0.1), "10": metric(0.6), "3": metric(0.4)}
    drawn = found_curves(
        {"reference": "a", "strategies": {name: {"recall_at": recall} for name in ("a", "b")}}
    )
    lines = [e for e in ElementTree.fromstring(drawn).iter() if e.get("class") == "line"]
    assert len(lines) == 2
    assert float(lines[0].get("stroke-width")) > float(lines[1].get("stroke-width"))


def test_results_that_count_no_such_thing_have_no_picture():
    assert found_curves({"reference": "a", "strategies": {"a": {}}}) == ""
