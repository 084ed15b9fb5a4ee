"""How much a sample is said to be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from seal.batch import IGNORE_INDEX, KEPT_POLICY, VISUAL_TOKEN, Row, Sample, Visual
from seal.data.collate import collate
from seal.data.levels import feedback_rows, level_rows
from seal.models.presets import vqa_preset, vsm_preset
from seal.training.activations import Load
from seal.training.throughput.lengths import VQA_KINDS, VSM_KINDS
from seal.training.throughput.samples import Shown, extents_of, synthetic_mixture
from seal.training.workload import PAPER, Workload


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


@pytest.mark.parametrize(("router", "kept"), [(False, False), (False, True), (True, False)])
def test_records_at_levels_are_as_many_positions_as_their_rows_have(router, kept):
    """Of a record with two pictures and 9 words, 3 of which are learnt."""
    levels = (1, 2, 4)
    ids = torch.tensor([1, *[VISUAL_TOKEN] * 4, 5, *[VISUAL_TOKEN] * 4, *range(5, 12)])
    labels = torch.full_like(ids, IGNORE_INDEX)
    labels[-3:] = ids[-3:]
    row = Row(ids, labels, tuple(Visual(n, long=True, length=4) for n in range(2)))
    images = (torch.zeros(3, 4, 4), torch.ones(3, 4, 4))
    if router:
        rows, routed = feedback_rows(row, levels)
        sample = Sample("x", rows, images, routed=routed)
    else:
        rows = level_rows(row, levels, np.random.default_rng(0))
        rows += (replace(row, level=KEPT_POLICY),) * kept
        sample = Sample("x", rows, images)
    one = Load.of(collate([Sample("x", (row,), images)], pad_id=0))
    plain = Workload(one, longest=one.positions, records=1, source="", tokens=(4, 0))
    batch = collate([sample], pad_id=0)
    work, found = plain.at_levels(levels, router=router, kept=kept), Load.of(batch)
    assert work.mean == replace(found, positions=float(batch.attention_mask.sum()))
    squares = float((batch.attention_mask.sum(1) ** 2).sum())
    assert work.squares == pytest.approx(squares, rel=0.15)
