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
from seal.models.fit.lora import LoraConfig, add_lora


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


@pytest.mark.parametrize("pack", [False, True])
def test_adapters_train_at_levels_beside_the_projector_and_the_tower(pack):
    torch.manual_seed(0)
    build, criterion = LEVELED["granularity"]
    model, samples, losses = build(), MixedSamples("granularity"), criterion()
    add_lora(model, LoraConfig(rank=2))
    model.train()
    batch = collate([samples[3], samples[8]], pad_id=0, pack=pack)
    parts = losses(batch, model(batch))
    torch.stack([parts[name] for name in losses.weights(batch)]).sum().backward()
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    assert all(p.grad is not None for p in trained.values())
    of_the_llm = [name for name in trained if name.startswith("llm.model.layers")]
    assert of_the_llm and all(".lora_" in name for name in of_the_llm)
    assert {"vision_tower", "image_projector", "image_newline"} <= {
        name.split(".")[0] for name in trained
    }


def test_a_routers_dropout_is_drawn_of_the_picture_the_step_and_the_runs_seed():
    """Whatever else is in the batch, and however it is laid out."""
    torch.manual_seed(0)
    build, _ = LEVELED["router"]
    model, samples = build().train(), MixedSamples("router")

    def scores(*indices: int, step: int = 3, seed: int = 0, pack: bool = False) -> torch.Tensor:
        batch = collate([samples[index] for index in indices], pad_id=0, pack=pack)
        batch.step, model.dropout_seed = step, seed
        return model(batch).router_scores

    alone = scores(3)
    for together in (scores(3, 5, 8), scores(3, 4, pack=True)):
        torch.testing.assert_close(together[:1], alone, rtol=1e-5, atol=1e-6)
    for other in (scores(3, step=4), scores(3, seed=1)):
        assert (other - alone).abs().max() > 1e-3
    before = torch.random.get_rng_state()
    scores(3, 8)
    assert torch.equal(torch.random.get_rng_state(), before)
