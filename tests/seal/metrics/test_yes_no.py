from __future__ import annotations

import pytest

from seal.metrics.intervals import wilson
from seal.metrics.yes_no import says_yes, yes_no_metrics


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("Yes", True),
        ("no.", False),
        ("No, yes", False),
        ("There is not any mug", False),
        ("yes, there is no doubt", True),
        ("eyes", None),
        ("nothing", None),
        ("", None),
    ],
)
def test_the_first_word_that_says_so_decides(answer, says):
    assert says_yes(answer) is says


def test_every_kind_of_error_has_its_number():
    said = [True, True, True, False, None, False]
    true = [True, True, False, True, True, False]
    found = yes_no_metrics(said, true)
    assert found["accuracy"].value == pytest.approx(3 / 6)
    assert found["precision"].value == pytest.approx(2 / 3)
    assert found["recall"].value == pytest.approx(2 / 4)
    assert found["f1"].value == pytest.approx(2 * (2 / 3) * (1 / 2) / (2 / 3 + 1 / 2))
    assert found["yes"].value == pytest.approx(3 / 6)
    assert {metric.n for metric in found.values()} == {6}
    assert {metric.invalid for metric in found.values()} == {1}
    for metric in found.values():
        assert metric.low <= metric.value <= metric.high


def test_answers_and_questions_are_as_many_and_may_be_none():
    with pytest.raises(ValueError, match="1 answers to 2 questions"):
        yes_no_metrics([True], [True, False])
    assert yes_no_metrics([], [])["f1"].value is None


def test_questions_of_one_image_widen_every_interval_and_move_no_number():
    said = [True] * 24 + [False] * 24 + [True] * 12
    true = [True] * 20 + [False] * 4 + [True] * 6 + [False] * 30
    alone = yes_no_metrics(said, true)
    together = yes_no_metrics(said, true, clusters=[i // 6 for i in range(60)])
    for name, metric in alone.items():
        assert together[name].value == pytest.approx(metric.value)
        assert together[name].high - together[name].low > metric.high - metric.low


def test_never_missing_a_thing_is_no_certainty_of_never_missing_one():
    found = yes_no_metrics([True] * 12 + [False] * 3, [True] * 12 + [False] * 3)
    assert found["recall"].value == found["f1"].value == 1.0
    assert (found["recall"].low, found["recall"].high) == wilson(12, 12)
    assert found["f1"].low == min(found["recall"].low, found["precision"].low)
    by_image = yes_no_metrics(
        [True] * 12 + [False] * 3, [True] * 12 + [False] * 3, clusters=[i // 3 for i in range(15)]
    )
    assert by_image["recall"].low == wilson(4, 4)[0]
    none = yes_no_metrics([False] * 9, [True] * 4 + [False] * 5)
    assert (none["recall"].value, none["recall"].high) == (0.0, wilson(0, 4)[1])
    assert none["precision"].value == 0.0
