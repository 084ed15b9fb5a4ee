"""How much a sample is said to be."""

from __future__ import annotations

import numpy as np
import pytest

from seal.models.presets import vqa_preset, vsm_preset
from seal.training.throughput.lengths import VQA_KINDS, VSM_KINDS
from seal.training.throughput.samples import Shown, extents_of, synthetic_mixture
from seal.training.workload import PAPER


@pytest.mark.parametrize(("kind", "program"), [("instruct", "vqa"), ("vsm", "vsm")])
def test_the_papers_samples_are_as_long_as_those_that_throughput_draws(kind, program):
    """Two places tell the lengths of one mixture; they must not drift apart."""
    kinds, preset = {"vqa": (VQA_KINDS, vqa_preset), "vsm": (VSM_KINDS, vsm_preset)}[program]
    mixture = synthetic_mixture(kinds, Shown.by(preset("7b")), seed=0)
    lengths = np.array([extent.packed for extent in extents_of(mixture, range(3000))])
    work = PAPER[kind]
    assert work.mean.positions == pytest.approx(lengths.mean(), rel=0.05)
    assert work.longest >= lengths.max()
    assert work.squares == pytest.approx((lengths**2).mean(), rel=0.15)


def test_a_tower_of_more_tokens_makes_longer_samples():
    """576 tokens an image instead of 256, as of CLIP at 336 pixels."""
    work = PAPER["instruct"]
    assert work.with_tokens(256, 32) == work
    larger = work.with_tokens(576, 32)
    assert larger.mean.positions == work.mean.positions + 320
    assert larger.longest == work.longest + 640
    resampled = PAPER["align_resampler"]
    assert resampled.with_tokens(576, 64).mean.positions == resampled.mean.positions + 32
    assert resampled.with_tokens(576, 64).longest == resampled.longest
