from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seal.metrics.paired import mcnemar
from seal.metrics.sign_flip import sign_flip


def by_enumeration(sums):
    seen = abs(sum(sums)) - 1e-9
    totals = [abs(sum(s * v for s, v in zip(signs, sums, strict=True))) for signs in
              product((1, -1), repeat=len(sums))]  # fmt: skip
    return sum(total >= seen for total in totals) / len(totals)


@given(st.lists(st.integers(-4, 4), max_size=9))
def test_whole_numbers_are_flipped_in_every_way(sums):
    differences = [np.sign(v) for v in sums for _ in range(abs(v))]
    clusters = [i for i, v in enumerate(sums) for _ in range(abs(v))]
    assert sign_flip(differences, clusters) == pytest.approx(by_enumeration(sums))


@given(st.lists(st.integers(-100, 100), max_size=9))
def test_credits_of_few_clusters_are_flipped_in_every_way(hundredths):
    differences = [value / 100 for value in hundredths]
    assert sign_flip(differences) == pytest.approx(by_enumeration(differences))


@given(st.integers(0, 60), st.integers(0, 60))
def test_it_is_mcnemars_test_where_every_question_is_its_own_image(won, lost):
    differences = [1.0] * won + [-1.0] * lost + [0.0] * 5
    assert sign_flip(differences) == pytest.approx(mcnemar(won, lost), rel=1e-9)
    assert sign_flip(differences, range(len(differences))) == sign_flip(differences)


def test_drawn_flips_come_near_all_flips():
    differences = list(np.random.default_rng(2).normal(0.3, 1, 16))
    exact = sign_flip(differences)
    drawn = sign_flip([*differences, 1e-6])  # one more cluster than is tried out
    assert drawn == pytest.approx(exact, abs=0.02)
    assert drawn == sign_flip([*differences, 1e-6]) != sign_flip([*differences, 1e-6], seed=1)


def test_drawn_flips_never_claim_more_than_they_could_see():
    assert sign_flip([0.5 + i / 1000 for i in range(100)]) == 1 / 10_001


def test_where_nothing_differs_in_truth_it_is_surprised_as_often_as_it_says():
    rng = np.random.default_rng(0)
    clusters = [i // 4 for i in range(120)]
    surprised = by_item = 0
    for _ in range(400):
        lean = rng.integers(0, 2, 30).repeat(4) * 2 - 1  # both systems err image by image
        differences = lean * (rng.random(120) < 0.7)
        surprised += sign_flip(differences, clusters) <= 0.05
        by_item += mcnemar(int((differences > 0).sum()), int((differences < 0).sum())) <= 0.05
    assert surprised / 400 <= 0.075
    assert by_item / 400 > 0.15  # what ignoring the images would claim


def test_nothing_that_differs_is_no_evidence():
    assert sign_flip([]) == sign_flip([0.0, 0.0]) == sign_flip([1.0, -1.0], ["a", "a"]) == 1.0
