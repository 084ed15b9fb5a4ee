"""Forward and backward of a micro-batch hardly ever wait for the device."""

from __future__ import annotations

import pytest
import torch
from host_syncs import host_syncs
from mixed_batches import MODELS, MixedSamples
from plain_batches import named_sums

from seal.data.collate import collate

ALLOWED = 2  # a micro-batch: the matching of boxes has to know costs


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize("kinds", [(0, 1), (1, 2), (3, 4), (4, 4)])
def test_forward_and_backward_of_a_micro_batch_hardly_wait(name, kinds, pack):
    build, criterion = MODELS[name]
    torch.manual_seed(0)
    model, losses, samples = build().train(), criterion(), MixedSamples(name)
    batch = collate([samples[2 * kinds[0]], samples[2 * kinds[1] + 1]], pad_id=0, pack=pack)
    with host_syncs() as syncs:
        parts = named_sums(losses, batch, model(batch))
        torch.stack(list(parts.values())).sum().backward()
    assert len(syncs) <= ALLOWED, syncs
