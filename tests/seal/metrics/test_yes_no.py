from __future__ import annotations

import pytest

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
