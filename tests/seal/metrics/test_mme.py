from __future__ import annotations

import numpy as np
import pytest

from seal.metrics.intervals import proportion, wilson
from seal.metrics.mme import COGNITION, PERCEPTION, Pair, mme_metrics

BOTH, ONE, NEITHER = Pair((True, True)), Pair((True, False)), Pair((False, False), invalid=2)


def test_a_category_adds_the_share_of_questions_and_the_share_of_images():
    found = mme_metrics({"OCR": [BOTH, BOTH, ONE, NEITHER]})
    assert found["accuracy"].value == 5 / 8
    assert found["accuracy_plus"].value == 2 / 4
    assert found["score"].value == 100 * (5 / 8 + 2 / 4)
    assert {name: metric.n for name, metric in found.items()} == {
        "accuracy": 8, "accuracy_plus": 4, "score": 8,
    }  # fmt: skip
    assert [found[name].invalid for name in ("accuracy", "accuracy_plus", "score")] == [2, 1, 2]
    for metric in found.values():
        assert metric.low <= metric.value <= metric.high


def test_perception_adds_up_its_categories_whatever_their_sizes():
    categories = {"color": [BOTH] * 3 + [ONE], "OCR": [NEITHER, BOTH]}
    alone = [mme_metrics({name: pairs})["score"].value for name, pairs in categories.items()]
    total = mme_metrics(categories)
    assert total["score"].value == sum(alone) == 162.5 + 100
    assert total["score"].low < total["score"].value < total["score"].high
    assert total["accuracy"].value == 9 / 12  # of all questions, not the mean of categories


def test_a_sum_that_lacks_a_category_is_none():
    total = mme_metrics({"color": [BOTH, ONE], "OCR": []})
    assert total["score"].value is None
    assert total["accuracy"].value == 3 / 4


def test_the_interval_of_a_sum_is_that_of_its_independent_parts():
    rng = np.random.default_rng(0)
    categories = {
        name: [Pair((bool(a), bool(b))) for a, b in rng.integers(0, 2, (60, 2))] for name in "abcd"
    }
    total = mme_metrics(categories)["score"]
    widths = [mme_metrics({name: pairs})["score"] for name, pairs in categories.items()]
    expected = np.sqrt(sum((part.high - part.low) ** 2 for part in widths))
    assert total.high - total.low == pytest.approx(expected, rel=0.06)


def test_there_are_ten_kinds_of_perception_and_four_of_cognition():
    assert (len(set(PERCEPTION)), len(set(COGNITION))) == (10, 4)


def test_the_interval_of_accuracy_holds_an_images_two_questions_together():
    pairs = [BOTH] * 20 + [Pair((False, False))] * 20
    found = mme_metrics({"color": pairs})["accuracy"]
    expected = proportion(
        [right for pair in pairs for right in pair.right], clusters=[i // 2 for i in range(80)]
    )
    assert (found.value, found.n) == (expected.value, expected.n)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.03)


def test_all_right_is_no_certainty():
    found = mme_metrics({"color": [BOTH] * 30})
    assert (found["accuracy"].low, found["accuracy"].high) == wilson(30, 30)
    assert mme_metrics({"color": []})["accuracy"].value is None
