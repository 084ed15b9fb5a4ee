"""Which blocks are recomputed, and that no number tells."""

from __future__ import annotations

import pytest
import torch
from fitted_models import deep_model, gradients, mixed_batch
from mixed_batches import MODELS
from torch import nn

from seal.models.fit.recompute import recompute_blocks, recomputed_blocks


def test_every_nth_block_is_recomputed_and_the_last_is_kept_where_there_is_a_choice():
    assert recomputed_blocks(4) == [0, 1, 2, 3]
    assert recomputed_blocks(4, 2) == [0, 2]
    assert recomputed_blocks(32, 3)[-2:] == [27, 30]
    assert recomputed_blocks(4, 9) == [0]
    with pytest.raises(ValueError, match="at least 1, got 0"):
        recomputed_blocks(4, 0)


def passes(model: nn.Module) -> list[int]:
    """How often each block's MLP is begun from now on; a second pass stops when all is at hand."""
    counts = [0] * len(model.llm.model.layers)

    def count(index: int) -> None:
        counts[index] += 1

    for index, block in enumerate(model.llm.model.layers):
        block.mlp.register_forward_pre_hook(lambda *_, index=index: count(index))
    return counts


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("every", [1, 2, 3])
def test_gradients_with_recomputed_blocks_are_the_same(name, every):
    """The search model has LoRA, whose dropout is on."""
    batch = mixed_batch(name)
    plain = gradients(deep_model(name), name, batch)
    model = deep_model(name)
    recompute_blocks(model, every)
    counts = passes(model)
    found = gradients(model, name, batch)
    assert counts == [2 if index % every == 0 else 1 for index in range(4)]
    assert found.keys() == plain.keys()
    for key, gradient in plain.items():
        torch.testing.assert_close(found[key], gradient, atol=1e-6, rtol=1e-6, msg=key)


def test_more_blocks_recomputed_keep_less():
    def kept(every: int | None) -> int:
        """Numbers that autograd holds on to from the forward pass, parameters left out."""
        model = deep_model("vqa")
        if every is not None:
            recompute_blocks(model, every)
        weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
        held: dict[int, int] = {}

        def hold(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in weights:
                held[storage.data_ptr()] = storage.nbytes()
            return tensor

        batch = mixed_batch("vqa")
        with torch.autograd.graph.saved_tensors_hooks(hold, lambda tensor: tensor):
            model(batch)
        return sum(held.values())

    assert kept(1) < kept(2) < kept(4) < kept(None)


def test_nothing_is_recomputed_without_gradients():
    model = deep_model("vqa")
    recompute_blocks(model)
    counts = passes(model)
    with torch.no_grad():
        model(mixed_batch("vqa"))
    assert counts == [1, 1, 1, 1]
