from __future__ import annotations

from itertools import combinations

import pytest

from seal.metrics.vqa_accuracy import vqa_accuracy


@pytest.mark.parametrize("agreeing", range(11))
def test_ten_annotators_are_left_out_one_by_one(agreeing):
    labels = ["red"] * agreeing + [f"other {i}" for i in range(10 - agreeing)]
    subsets = list(combinations(labels, 9))
    expected = sum(min(part.count("red") / 3, 1) for part in subsets) / len(subsets)
    assert vqa_accuracy("Red.", labels) == pytest.approx(expected, abs=1e-12)


def test_three_of_ten_are_nine_tenths_and_four_are_enough():
    assert vqa_accuracy("red", ["red"] * 3 + ["blue"] * 7) == pytest.approx(0.9)
    assert vqa_accuracy("red", ["red"] * 4 + ["blue"] * 6) == 1


def test_few_annotators_can_give_full_credit_and_none_by_halves():
    assert vqa_accuracy("red", ["red"]) == 1
    assert vqa_accuracy("red", ["blue"]) == 0
    assert vqa_accuracy("red", ["red", "red"]) == 1
    assert vqa_accuracy("red", ["red", "blue"]) == 0.5
    with pytest.raises(ValueError, match="at least one label"):
        vqa_accuracy("red", [])


def test_an_answer_of_articles_is_told_from_an_empty_one():
    assert vqa_accuracy("A", ["a"] * 10) == 1
    assert vqa_accuracy("", ["a"] * 10) == 0
    assert vqa_accuracy("the", ["a"] * 10) == 0


def test_a_letter_that_is_an_article_may_have_a_full_stop():
    assert vqa_accuracy("A.", ["A"] * 10) == 1
    assert vqa_accuracy("(a)", ["A"] * 10) == 1
    assert vqa_accuracy("A.", ["the"] * 10) == 0
    assert vqa_accuracy(".", ["A"] * 10) == 0
