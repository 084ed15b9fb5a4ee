"""What a path would take if the machine did nothing but its arithmetic: the roofline."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry


def _linear(given: Tensor, weight: Tensor, *_: Any, **__: Any) -> int:
    """(..., in), (out, in)"""
    return 2 * given.numel() * weight.shape[0]


def _matmul(left: Tensor, right: Tensor, *, out_val: Tensor) -> int:
    """(..., m, k), (..., k, n) -> (..., m, n)"""
    return 2 * out_val.numel() * left.shape[-1]


def _convolution(given: Tensor, weight: Tensor, *_: Any, out_val: Tensor, **__: Any) -> int:
    """(B, in, H, W), (out, in / groups, h, w) -> (B, out, H', W')"""
    return 2 * out_val.numel() * weight[0].numel()


def _attention(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> int:
    """(B, H, L, d), (B, h, S, d), (B, h, S, v): two products; a causal mask saves nothing."""
    rows = query.numel() // query.shape[-1]
    return 2 * rows * key.shape[-2] * (query.shape[-1] + value.shape[-1])


_aten = torch.ops.aten
# The library's, and what arrives whole in inference mode or has none there.
_FLOPS: dict[Any, Callable[..., int]] = {
    **flop_registry,
    _aten.linear: _linear,
    _aten.matmul: _matmul,
    _aten.conv2d: _convolution,
    _aten.scaled_dot_product_attention: _attention,
    _aten._scaled_dot_product_flash_attention_for_cpu: _attention,
}


@dataclass(frozen=True, slots=True)
class MachineRates:
    """What a machine reaches at most, measured."""

    flops: float  # a second, of large products of matrices in the model's type
    bandwidth: float  # bytes a second, read and written, of memory that no cache holds

    def seconds(self, flops: float, num_bytes: float) -> float:
        """No operation of so much arithmetic on so much memory is faster."""
        return max(flops / self.flops, num_bytes / self.bandwidth)

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


def measure_rates(device: str, dtype: torch.dtype) -> MachineRates:
    """The best of a few tries, a second or two in all."""
    on_gpu = torch.device(device).type == "cuda"
    side = 8192 if on_gpu else 1024
    left = torch.randn(side, side, device=device, dtype=torch.float32).to(dtype)
    right = torch.randn(side, side, device=device, dtype=torch.float32).to(dtype)
    product = _best(lambda: left @ right, device)
    source = torch.zeros((1 << 30 if on_gpu else 1 << 26), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    copy = _best(lambda: target.copy_(source), device)
    return MachineRates(2 * side**3 / product, 2 * source.nbytes / copy)


class Roofline(TorchDispatchMode):
    """Counts the products of matrices that run within a `with`: arithmetic, memory, least time.

    Of each: its floating-point operations, its inputs and outputs in bytes, and how long it takes
    at least. What is done between them (norms, activations, copies) could be part of them, and
    counts as nothing. Weights that fit a CPU's cache are read faster than memory is: a small model
    may come closer to its roofline than a large one for that alone.
    """

    def __init__(self, rates: MachineRates) -> None:
        super().__init__()
        self.rates = rates
        self.flops = self.num_bytes = self.seconds = 0.0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        count = _FLOPS.get(func._overloadpacket)
        if func._overloadpacket is _aten.einsum:
            with self:  # whole as well
                made = func.decompose(*args, **kwargs)
            if made is not NotImplemented:
                return made
        made = func(*args, **kwargs)
        if count is not None:
            flops = count(*args, **kwargs, out_val=made)
            held = [t for t in tree_leaves((args, kwargs, made)) if isinstance(t, Tensor)]
            num_bytes = sum(tensor.nbytes for tensor in held)
            self.flops += flops
            self.num_bytes += num_bytes
            self.seconds += self.rates.seconds(flops, num_bytes)
        return made


def _best(run: Callable[[], Any], device: str, tries: int = 6) -> float:
    """Seconds of the fastest of a few calls, the first of which does not count."""

    def wait() -> None:
        if torch.device(device).type == "cuda":
            torch.cuda.synchronize(device)

    spent = []
    for _ in range(tries):
        wait()
        started = time.perf_counter()
        run()
        wait()
        spent.append(time.perf_counter() - started)
    return min(spent[1:])
