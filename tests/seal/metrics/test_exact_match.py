from __future__ import annotations

import pytest

from seal.metrics.exact_match import agreed_answer, exact_match


@pytest.mark.parametrize(
    ("answer", "credit"),
    [("red", 1), (" Red. ", 1), ("RED", 1), ("dark red", 0), ("red car", 0), ("", 0), ("reds", 0)],
)
def test_a_match_is_the_whole_answer_but_for_case_blanks_and_the_full_stop(answer, credit):
    assert exact_match(answer, ["red", "crimson"]) == credit


def test_a_full_stop_inside_stays():
    assert exact_match("st. bernard", ["st bernard"]) == 0


@pytest.mark.parametrize("agreeing", range(11))
def test_three_annotators_make_an_answer_right(agreeing):
    labels = ["sun"] * agreeing + ["heat"] * (10 - agreeing)
    assert agreed_answer("Sun.", labels) == pytest.approx(min(1, agreeing / 3))


def test_without_a_label_there_is_no_judging():
    with pytest.raises(ValueError, match="at least one label"):
        agreed_answer("sun", [])
    assert exact_match("sun", []) == 0
