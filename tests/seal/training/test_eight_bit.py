from __future__ import annotations

import pytest
import torch
from tiny_training import tiny_train
from torch import nn

from seal.training.eight_bit import hide_moments, pack, show_moments, unpack
from seal.training.optimizer import build_optimizer

PACKED = ("state1", "state2")


def trained(steps: int = 3) -> tuple[nn.Module, torch.optim.Optimizer]:
    """A matrix that bitsandbytes packs and a bias it does not, after a few steps."""
    torch.manual_seed(0)
    model = nn.Linear(100, 77)
    optimizer = build_optimizer(model, tiny_train(optimizer="adamw_8bit"), fused=False)
    for _ in range(steps):
        for parameter in model.parameters():
            parameter.grad = torch.randn_like(parameter)
        optimizer.step()
    return model, optimizer


def test_what_is_unpacked_and_packed_again_has_the_same_codes():
    _, optimizer = trained()
    [state] = [s for s in optimizer.state.values() if s["state1"].dtype == torch.uint8]
    for code, scale, table in (("state1", "absmax1", "qmap1"), ("state2", "absmax2", "qmap2")):
        flat = state[code].view(-1)
        codes, scales = pack(unpack(flat, state[scale], state[table]), state[table])
        assert torch.equal(codes, flat)
        torch.testing.assert_close(scales, state[scale], rtol=1e-6, atol=0)


def test_the_moments_shown_are_those_of_plain_adamw_up_to_the_rounding_to_eight_bits():
    model, optimizer = trained()
    torch.manual_seed(0)
    plain = nn.Linear(100, 77)
    reference = build_optimizer(plain, tiny_train(), fused=False)
    for _ in range(3):
        for parameter in plain.parameters():
            parameter.grad = torch.randn_like(parameter)
        reference.step()
    show_moments(optimizer)
    for kind in ("exp_avg", "exp_avg_sq"):
        for mine, other in zip(model.parameters(), plain.parameters(), strict=True):
            found, wanted = optimizer.state[mine][kind], reference.state[other][kind]
            assert found.dtype == torch.float32 and found.shape == wanted.shape
            assert float((found - wanted).norm() / wanted.norm()) < 0.03


def test_hiding_unchanged_moments_leaves_the_state_bit_for_bit():
    _, optimizer = trained()
    before = [{k: s[k].clone() for k in PACKED} for s in optimizer.state.values()]
    show_moments(optimizer)
    hide_moments(optimizer, changed=False)
    for state, old in zip(optimizer.state.values(), before, strict=True):
        assert all(torch.equal(state[k], old[k]) for k in PACKED) and "exp_avg" not in state


def test_moments_that_were_overwritten_are_what_training_goes_on_with():
    _, optimizer = trained()
    _, other = trained(steps=1)
    show_moments(optimizer)
    show_moments(other)
    for there, here in zip(optimizer.state.values(), other.state.values(), strict=True):
        for kind in ("exp_avg", "exp_avg_sq"):
            here[kind].copy_(there[kind])
    hide_moments(other, changed=True)
    for there, here in zip(optimizer.state.values(), other.state.values(), strict=True):
        assert all(torch.equal(there[k], here[k]) for k in PACKED)


def test_a_block_of_zeros_is_packed():
    table = torch.linspace(-0.99, 1.0, 256)
    table[128] = 0.0
    codes, scales = pack(torch.zeros(300), table)
    assert not scales.any() and not unpack(codes, scales, table).any()


@pytest.mark.parametrize("size", [1, 255, 256, 257])
def test_any_number_of_elements_is_packed(size):
    table = torch.linspace(-0.99, 1.0, 256)
    values = torch.randn(size, generator=torch.Generator().manual_seed(1))
    found = unpack(*pack(values, table), table)
    assert float((found - values).abs().max()) <= float(values.abs().max()) * 0.0051
