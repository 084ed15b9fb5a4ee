"""Packed rows: the states of padded rows, no document sees another, a tree equals its rows."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from mixed_batches import MODELS, MixedSamples, row, vqa_sample, vsm_model, vsm_sample
from plain_batches import named_sums

from seal.batch import Batch, Sample, Visual
from seal.data.collate import collate
from seal.losses.vsm import VSMLoss
from seal.models.parts.packed_attention import tree_mask

CLOSE = {"atol": 1e-5, "rtol": 1e-5}
KINDS = range(0, 10, 2)  # of `vqa_sample` and `vsm_sample`


def samples(name: str) -> list[Sample]:
    make = {"vqa": vqa_sample, "vsm": vsm_sample}[name]
    return [make(kind, torch.Generator().manual_seed(kind)) for kind in KINDS]


def built(name: str) -> Any:
    torch.manual_seed(0)
    model = MODELS[name][0]()
    if name == "vsm":  # adapters begin at zero, where they cannot show a difference
        for parameter_name, parameter in model.named_parameters():
            if "lora_B" in parameter_name:
                torch.nn.init.normal_(parameter, std=0.1)
    return model.eval()


def sums_and_gradients(name: str, model: Any, batch: Batch) -> tuple[dict, dict]:
    model.zero_grad()
    sums = named_sums(MODELS[name][1](), batch, model(batch))
    torch.stack(list(sums.values())).sum().backward()
    gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    return {n: value.item() for n, value in sums.items()}, gradients


@pytest.mark.parametrize("name", list(MODELS))
def test_losses_and_gradients_are_those_of_padded_rows(name):
    """Of the search model: three expressions behind one image, and three rows with the image."""
    model = built(name)
    padded = sums_and_gradients(name, model, collate(samples(name), pad_id=0))
    batch = collate(samples(name), pad_id=0, pack=True)
    assert any(d.branched for d in batch.documents) == (name == "vsm")
    packed = sums_and_gradients(name, model, batch)
    assert packed[0] == pytest.approx(padded[0], rel=1e-5, abs=1e-6)
    assert packed[1].keys() == padded[1].keys()
    for key, gradient in padded[1].items():
        torch.testing.assert_close(packed[1][key], gradient, atol=1e-5, rtol=1e-4, msg=key)


@pytest.mark.parametrize("name", list(MODELS))
@torch.no_grad()
def test_no_document_sees_another(name):
    """Other tokens and pictures in the others change not one bit of the states of a document."""
    model = built(name)
    one, *others = samples(name)[::-1]
    make = {"vqa": vqa_sample, "vsm": vsm_sample}[name]
    changed = [make(kind, torch.Generator().manual_seed(99 + kind)) for kind in KINDS][::-1][1:]
    length = collate([one], pad_id=0, pack=True).documents[0].length
    first, second = (
        model.hidden_states(collate([one, *rest], pad_id=0, pack=True))[0, :length]
        for rest in (others, changed)
    )
    assert torch.equal(first, second)


@torch.no_grad()
def test_branches_see_the_trunk_and_not_each_other():
    model = built("vsm")
    (three,) = [s for s in samples("vsm") if len(s.rows) == 3]
    other = dataclasses.replace(three.rows[1], input_ids=three.rows[1].input_ids.clone())
    other.input_ids[-3] += 1
    changed = dataclasses.replace(three, rows=(three.rows[0], other, three.rows[2]))
    states = []
    for sample in (three, changed):
        batch = collate([sample], pad_id=0, pack=True)
        assert batch.branches is not None
        states.append((model.hidden_states(batch)[0], batch.branches[0]))
    (before, branches), (after, _) = states
    same = (before == after).all(1)
    kept = (branches != 2) | (torch.arange(len(branches)) >= batch.documents[0].length)
    assert same[kept].all() and not same[branches == 2].all()


def test_a_tree_is_written_once_and_names_its_branches():
    (three,) = [s for s in samples("vsm") if len(s.rows) == 3]
    batch = collate([three], pad_id=0, pack=True)
    lengths = [len(r.input_ids) for r in three.rows]
    trunk = 1 + 4  # the first token and the image
    assert batch.documents[0].length == trunk + sum(n - trunk for n in lengths)
    assert batch.branches is not None
    branches = batch.branches[0, : batch.documents[0].length]
    assert branches.tolist() == [0] * trunk + [
        number + 1 for number, n in enumerate(lengths) for _ in range(n - trunk)
    ]
    positions = batch.position_ids[0]
    for number, n in enumerate(lengths):
        own = positions[: len(branches)][branches == number + 1]
        assert own.tolist() == list(range(trunk, n))


def test_the_mask_of_a_tree():
    mask = tree_mask(torch.tensor([0, 0, 1, 1, 2]))
    assert mask.int().tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 0, 0, 1],
    ]


def test_rows_that_show_other_pictures_share_what_stands_before_the_first():
    image = torch.randn(3, 28, 28)
    rows = (row([Visual(0, True)], [5, 6, 7], [8]), row([Visual(0, False)], [5, 6, 7], [8]))
    batch = collate([Sample("two", rows, (image,))], pad_id=0, pack=True)
    (tree,) = batch.documents
    assert tree.limbs == tuple(len(own.input_ids) - 1 for own in rows) and not tree.branched
    alone = [1 + limb for limb in tree.limbs]
    assert tree.squares == sum(length**2 for length in alone) - 1  # the trunk is read once


def test_rows_with_different_beginnings_are_documents_of_their_own():
    rows = tuple(row([], [first, 6, 7], [8]) for first in (5, 4))
    batch = collate([Sample("two", rows)], pad_id=0, pack=True)
    assert [(d.branched, d.limbs) for d in batch.documents] == [(False, ()), (False, ())]


def test_a_row_that_hides_positions_cannot_be_packed():
    whole = row([], [5, 6, 7], [8], attention_mask=torch.ones(5, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"sample s: .*train\.batching=padded"):
        collate([Sample("s", (whole,))], pad_id=0, pack=True)


def test_recomputed_blocks_give_the_same_gradients_in_packed_rows():
    model = built("vsm").train()
    batch = collate(samples("vsm"), pad_id=0, pack=True)
    plain = sums_and_gradients("vsm", model, batch)
    model.llm.gradient_checkpointing_enable({"use_reentrant": False})
    kept = sums_and_gradients("vsm", model, batch)
    assert plain[0] == kept[0]
    for key, gradient in plain[1].items():
        assert torch.equal(gradient, kept[1][key]), key


def test_an_expression_in_a_tree_has_its_own_query():
    model = vsm_model().eval()
    batch = collate([MixedSamples("vsm")[8]], pad_id=0, pack=True)
    with torch.no_grad():
        states = model.query_states(batch)
    assert len(states) == 3 and len(VSMLoss().weights(batch)) == 6
    assert not torch.allclose(states[0], states[1])
