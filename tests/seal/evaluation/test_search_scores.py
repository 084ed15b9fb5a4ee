"""Numbers of searches: intervals know which questions are of one picture."""

from __future__ import annotations

from seal.evaluation.search_scores import search_metrics


def test_searches_of_one_picture_are_resampled_together():
    """Forty questions of two pictures are no more than two pictures say."""
    scores = [
        {
            "seconds": steps, "searched": steps == 3, "visits": steps, "calls": 2 * steps,
            "target_hits": [steps if steps == 3 else None],
        }
        for steps in [3] * 20 + [9] * 20
    ]  # fmt: skip
    pictures = ["a.jpg"] * 20 + ["b.jpg"] * 20
    of_two = search_metrics(scores, pictures, 0)
    of_forty = search_metrics(scores, [str(number) for number in range(40)], 0)
    for name in ("seconds", "searched", "target_hit", "visits", "model_calls"):
        assert of_two[name]["value"] == of_forty[name]["value"]
        wide, narrow = (of[name]["high"] - of[name]["low"] for of in (of_two, of_forty))
        assert wide > 2 * narrow > 0, name
    assert (of_two["search_length"]["n"], of_two["search_length"]["invalid"]) == (20, 20)
    assert of_two["search_length"]["low"] is None  # one picture says nothing about the spread


def test_a_system_that_does_not_search_has_no_numbers_of_searches():
    assert search_metrics([{"target_hits": [None]}, {}], ["a", "b"], 0) == {}


def test_questions_are_counted_of_which_a_budget_ended_a_search():
    scores = [{"searched": True, "visits": 1, "calls": 1, "target_hits": []} for _ in range(4)]
    assert "stopped_early" not in search_metrics(scores, list("abcd"), 0)
    for score, early in zip(scores, (True, False, False), strict=False):
        score["stopped_early"] = early
    told = search_metrics(scores, list("abcd"), 0)["stopped_early"]
    assert (told["n"], told["invalid"]) == (3, 1)  # the last one searched for nothing
