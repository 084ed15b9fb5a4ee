from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from seal.metrics.paired import mcnemar
from seal.metrics.power import (
    design_effect,
    detectable_difference,
    detectable_mean_difference,
    mcnemar_power,
)
from seal.metrics.sign_flip import sign_flip


def significant(won, lost):
    """Whether McNemar's exact test says 5% or less, for arrays of counts."""
    return 2 * binom.cdf(np.minimum(won, lost), won + lost, 0.5) <= 0.05


@pytest.mark.parametrize(("n", "discordant"), [(191, 0.3), (191, 0.1), (800, 0.05), (60, 0.5)])
def test_a_detectable_difference_is_shown_four_times_in_five(n, discordant):
    rng = np.random.default_rng(0)
    difference = detectable_difference(n, discordant)
    both = rng.multinomial(
        n, [(discordant + difference) / 2, (discordant - difference) / 2, 1 - discordant], 40_000
    )
    assert significant(both[:, 0], both[:, 1]).mean() == pytest.approx(0.8, abs=0.008)


def test_no_difference_is_shown_at_most_as_often_as_allowed():
    assert 0 < mcnemar_power(191, 0.3, 0.0) <= 0.05


def test_it_shrinks_with_the_root_of_the_questions_and_grows_with_the_discordance():
    assert detectable_difference(800, 0.2) == pytest.approx(
        detectable_difference(3200, 0.2) * 2, rel=0.05
    )
    by_discordance = [detectable_difference(191, share) for share in (0.05, 0.1, 0.2, 0.3)]
    assert by_discordance == sorted(by_discordance)
    # Two systems that differ on 30% of V*Bench are told apart from 11 points on.
    assert by_discordance[-1] == pytest.approx(0.114, abs=0.002)


def test_too_few_questions_can_show_nothing():
    assert detectable_difference(20, 0.1) is None
    assert detectable_difference(1000, 0.0) is None


def test_clusters_count_as_fewer_questions_and_a_simulation_agrees():
    rng = np.random.default_rng(1)
    images, size, discordant = 100, 4, 0.4

    def differences(gain):
        """One of both leads on all questions of an image, if they are discordant at all."""
        lean = np.where(rng.random(images) < 0.5 + gain / (2 * discordant), 1, -1)
        return (lean * (rng.random(images) < discordant)).repeat(size)

    clusters = np.arange(images).repeat(size)
    # As many questions as images, since the questions of one image all come out alike.
    effect = np.mean([design_effect(differences(0.0), clusters) for _ in range(50)])
    assert effect == pytest.approx(size, rel=0.1)
    gain = detectable_difference(images * size, discordant, design_effect=size)
    assert gain == detectable_difference(images, discordant)
    shown = [sign_flip(differences(gain), clusters) <= 0.05 for _ in range(500)]
    assert np.mean(shown) == pytest.approx(0.8, abs=0.06)


def test_unrelated_values_in_clusters_inflate_nothing():
    values = np.random.default_rng(0).normal(size=6000)
    assert design_effect(values, np.arange(6000) // 6) == pytest.approx(1, abs=0.1)
    assert design_effect(values, None) == 1.0
    assert design_effect([1.0, 1.0, 1.0, 1.0], [0, 0, 1, 1]) == 1.0


def test_credits_have_a_detectable_difference_as_well():
    rng = np.random.default_rng(3)
    gain = detectable_mean_difference(0.4, 200)
    means = rng.normal(gain, 0.4, (20_000, 200)).mean(1)
    shown = np.abs(means) > 1.96 * 0.4 / np.sqrt(200)
    assert shown.mean() == pytest.approx(0.8, abs=0.01)
    assert detectable_mean_difference(0.4, 200, effect=4.0) == pytest.approx(2 * gain)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"n": 0}, "n=0 must be at least 1"),
        ({"discordant": 1.2}, "discordant=1.2 must be a share"),
        ({"design_effect": 0.0}, "design_effect=0.0 must be above 0"),
        ({"power": 0.01}, "alpha=0.05 and power=0.01"),
    ],
)
def test_numbers_out_of_range_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        detectable_difference(**{"n": 100, "discordant": 0.2, **wrong})


def test_the_power_is_that_of_the_test_that_is_used():
    n, discordant, gain = 12, 0.8, 0.5
    expected = 0.0
    for won in range(n + 1):
        for lost in range(n + 1 - won):
            chance = binom.pmf(won + lost, n, discordant) * binom.pmf(
                won, won + lost, 0.5 + gain / (2 * discordant)
            )
            expected += chance * (mcnemar(won, lost) <= 0.05)
    assert mcnemar_power(n, discordant, gain) == pytest.approx(expected)
