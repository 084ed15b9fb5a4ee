"""What the counter of host_syncs.py counts."""

from __future__ import annotations

import pytest
import torch
from host_syncs import host_syncs

X = torch.tensor([1.0, 0.0, 3.0])
MASK = X > 0.5
PLACES = torch.tensor([0, 2])


def written(x: torch.Tensor, where: torch.Tensor, value: float | torch.Tensor) -> None:
    x[where] = value


@pytest.mark.parametrize(
    "wait",
    [
        lambda: X[0].item(),
        lambda: float(X.sum()),
        lambda: bool(MASK.all()),
        lambda: X.tolist(),
        lambda: X.cpu(),
        lambda: X.to("cpu").numpy(),
        lambda: X.cpu()[1:].sum().item(),
        lambda: X.to(device="cpu", dtype=torch.float64).tolist(),
        lambda: MASK.nonzero(),
        lambda: X[MASK],
        lambda: torch.masked_select(X, MASK),
        lambda: X.unique(),
        lambda: torch.equal(X, X),
        lambda: torch.repeat_interleave(X, PLACES.new_ones(3)),
        lambda: written(X.clone(), MASK, torch.ones(2)),
        lambda: torch.tensor([1.0, 2.0], device=X.device),
        lambda: X.new_tensor([1.0, 2.0]),
        lambda: torch.tensor([1.0, 2.0]).to(X.device),
        lambda: X.cpu().to(X.device, non_blocking=True) + 1,
        lambda: torch.tensor([0, 2]).to(X.device, non_blocking=True).tolist(),
    ],
)
def test_what_reads_values_waits_once(wait):
    with host_syncs() as syncs:
        wait()
    assert len(syncs) == 1 and "test_host_syncs.py" in syncs[0], syncs


@pytest.mark.parametrize(
    "go",
    [
        lambda: X * 2 + X.sum(),
        lambda: X[PLACES],
        lambda: X[1:],
        lambda: X.masked_fill(MASK, 0.0),
        lambda: torch.where(MASK, X, 0.0),
        lambda: written(X.clone(), MASK, 0.0),
        lambda: written(X.clone(), PLACES, torch.ones(2)),
        lambda: torch.repeat_interleave(X, PLACES.new_ones(3), output_size=3),
        lambda: X.to(torch.float64),
        lambda: X.to(X.device),
        lambda: torch.tensor([1.0, 2.0]).tolist(),
        lambda: X[torch.tensor([0, 2]).to(X.device, non_blocking=True)],
        lambda: X.new_zeros(3),
        lambda: torch.arange(3, device=X.device),
    ],
)
def test_what_reads_no_value_does_not_wait(go):
    with host_syncs() as syncs:
        go()
    assert syncs == []


def test_each_wait_of_a_backward_pass_counts():
    x = X.clone().requires_grad_()

    class Reads(torch.autograd.Function):
        @staticmethod
        def forward(ctx, value):
            return value * 2

        @staticmethod
        def backward(ctx, gradient):
            gradient.sum().item()
            return gradient * 2

    with host_syncs() as syncs:
        out = Reads.apply(x).sum()
        assert syncs == []
        out.backward()
    assert len(syncs) == 1


def test_the_original_of_a_copy_is_still_on_the_device():
    with host_syncs() as syncs:
        copy = X.cpu()
        copy.tolist()
        X.tolist()
    assert len(syncs) == 2
