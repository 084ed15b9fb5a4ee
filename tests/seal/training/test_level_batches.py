"""Both stages of AVG-LLaVA on batches of every kind, the router's dropout on.

That what a step is cut into changes nothing is shown by `test_averaging`, on two processes as well.
"""

from __future__ import annotations

from functools import partial

import pytest
import torch
from host_syncs import host_syncs
from mixed_batches import LEVELED, MixedSamples

from seal.data.collate import collate


@pytest.mark.parametrize("name", LEVELED)
@pytest.mark.parametrize("kind", range(5))
def test_a_batch_of_any_kind_reaches_every_trained_weight_and_hardly_waits(name, kind):
    torch.manual_seed(0)
    build, criterion = LEVELED[name]
    model, samples = build().train(), MixedSamples(name)
    batch = partial(collate, pad_id=0, pack=True)([samples[2 * kind], samples[2 * kind + 1]])
    losses = criterion()
    names = losses.weights(batch)  # on the host
    with host_syncs() as syncs:
        parts = losses(batch, model(batch))
        torch.stack([parts[name] for name in names]).sum().backward()
    assert not syncs
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    assert [n for n, p in trained.items() if p.grad is None] == []
    assert all(torch.isfinite(p.grad).all() for p in trained.values())
    parts_trained = {n.split(".")[0] for n in trained}
    everything = {"llm", "vision_tower", "image_projector", "image_newline"}
    assert parts_trained == ({"router"} if name == "router" else everything)
