"""Synthetic samples are those of the real mixtures in everything but their content."""

from __future__ import annotations

import pickle
from collections import Counter
from statistics import median

import numpy as np
import pytest
import torch

from seal.batch import IGNORE_INDEX, VISUAL_TOKEN
from seal.data.collate import collate
from seal.data.mixture import Mixture
from seal.models.presets import vqa_preset, vsm_preset
from seal.training.throughput.lengths import (
    MAX_POSITIONS,
    THREE_EXPRESSIONS,
    VQA_KINDS,
    VSM_KINDS,
    TextLength,
)
from seal.training.throughput.samples import Shown, extents_of, synthetic_mixture

KINDS = {"vqa": VQA_KINDS, "vsm": VSM_KINDS}


def mixture(program: str, seed: int = 0, size: str = "miniature") -> Mixture:
    sizes = vqa_preset(size) if program == "vqa" else vsm_preset(size)
    return synthetic_mixture(KINDS[program], Shown.by(sizes), seed)


@pytest.mark.parametrize("program", ["vqa", "vsm"])
def test_a_sample_is_as_long_as_was_said_before(program: str) -> None:
    made = mixture(program)
    for index, extent in enumerate(extents_of(made, range(40))):
        sample = made[index]
        assert tuple(len(row.input_ids) for row in sample.rows) == extent.rows
        assert made.length(index) == extent.packed
        batch = collate([sample], pad_id=0, pack=True)
        assert int(batch.attention_mask.sum()) == extent.packed


@pytest.mark.parametrize("program", ["vqa", "vsm"])
def test_a_sample_depends_on_seed_and_index_alone(program: str) -> None:
    one, other = mixture(program), pickle.loads(pickle.dumps(mixture(program)))
    for index in (7, 3):
        first, second = one[index], other[index]
        assert first.id == second.id
        assert all(torch.equal(a, b) for a, b in zip(first.images, second.images, strict=True))
        for a, b in zip(first.rows, second.rows, strict=True):
            assert torch.equal(a.input_ids, b.input_ids) and torch.equal(a.labels, b.labels)
    assert extents_of(one, range(30)) != extents_of(mixture(program, seed=1), range(30))


@pytest.mark.parametrize("program", ["vqa", "vsm"])
def test_sources_are_drawn_by_their_shares(program: str) -> None:
    made = mixture(program)
    drawn = Counter(made.names[made.locate(index)[0]] for index in range(4000))
    total = sum(kind.share for kind in KINDS[program])
    for kind in KINDS[program]:
        assert drawn[kind.name] / 4000 == pytest.approx(kind.share / total, abs=0.025)


def test_text_has_the_median_and_the_95th_percentile_it_is_given() -> None:
    rng = np.random.default_rng(0)
    drawn = [TextLength(300, 700).draw(rng, least=1, most=10_000) for _ in range(8000)]
    assert median(drawn) == pytest.approx(300, rel=0.03)
    assert np.percentile(drawn, 95) == pytest.approx(700, rel=0.05)


def test_pictures_take_the_positions_the_model_gives_them() -> None:
    made = mixture("vqa", size="7b")
    for index in range(30):
        sample = made[index]
        (row,) = sample.rows
        visual = int((row.input_ids == VISUAL_TOKEN).sum())
        assert visual in {0: (256,), 1: (288,), 2: (320,), 3: (352,)}[len(row.visuals) - 1]
        assert len(sample.images) == len(row.visuals)
        assert 0 < int((row.labels != IGNORE_INDEX).sum()) < len(row.labels) - visual


def test_expressions_of_an_image_are_a_tree_with_a_target_each() -> None:
    made = synthetic_mixture(THREE_EXPRESSIONS, Shown.by(vsm_preset("miniature")), 0)
    sample = made[0]
    assert len(sample.rows) == len(sample.targets) == 3
    loc = vsm_preset("miniature").llm.vocab_size - 1
    for row in sample.rows:
        assert row.loc_position is not None
        assert row.input_ids[row.loc_position] == row.labels[row.loc_position] == loc
    batch = collate([sample], pad_id=0, pack=True)
    assert [document.branched for document in batch.documents] == [True]
    for target in sample.targets:
        assert target.boxes is not None and target.mask is not None
        assert bool(((target.boxes >= 0) & (target.boxes <= 1)).all())
        assert target.mask.area > 0


def test_no_row_of_the_search_model_is_longer_than_its_limit() -> None:
    assert max(max(e.rows) for e in extents_of(mixture("vsm", size="7b"), range(3000))) <= (
        MAX_POSITIONS
    )
