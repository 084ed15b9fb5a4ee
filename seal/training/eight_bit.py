"""AdamW's moments in one byte each: shown in float32 to a checkpoint, and packed again.

A checkpoint holds moments in float32 by the names of the parameters, whatever the optimizer keeps,
so a run may go on with another number of processes, whose blocks lie elsewhere.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

BLOCK = 256  # elements that share one scale in bitsandbytes' AdamW
# bitsandbytes' names of code, scale and table -> torch's name of the moment.
_PACKED = {
    "exp_avg": ("state1", "absmax1", "qmap1"),
    "exp_avg_sq": ("state2", "absmax2", "qmap2"),
}


def show_moments(optimizer: torch.optim.Optimizer) -> None:
    """Put float32 copies of the moments beside the packed ones, on the host, under torch's names.

    Tensors that bitsandbytes does not pack, below 4096 elements, are not copied.
    """
    for state in _states(optimizer):
        for name, (code, scale, table) in _PACKED.items():
            if state[code].dtype == torch.float32:
                state[name] = state[code]
            else:
                state[name] = unpack(state[code], state[scale], state[table]).cpu()


def hide_moments(optimizer: torch.optim.Optimizer, *, changed: bool) -> None:
    """Let go of what `show_moments` made; `changed`: after packing it."""
    for state in _states(optimizer):
        for name, (code, scale, table) in _PACKED.items():
            shown = state.pop(name, None)
            if shown is None or not changed or state[code].dtype == torch.float32:
                continue
            codes, scales = pack(shown.to(state[code].device), state[table])
            state[code].copy_(codes)
            state[scale].copy_(scales)


def unpack(codes: Tensor, scales: Tensor, table: Tensor) -> Tensor:
    """codes: (N,) uint8, scales: (ceil(N / 256),), table: (256,) -> (N,) float32."""
    values = table[codes.view(-1).int()]
    return (_blocks(values) * scales[:, None]).view(-1)[: codes.numel()].view(codes.shape)


def pack(values: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest codes, and a scale for each block; the inverse of `unpack`.

    What came out of `unpack` gets its codes back: a block whose largest value is negative, and so
    below the table's end at 1, is not scaled as if that were the end.
    """
    blocks = _blocks(values.view(-1).float())
    low, high = blocks.min(1).values, blocks.max(1).values
    least, most = float(table[0]), float(table[-1])
    scales = high / most
    if least < 0:
        scales = torch.maximum(scales, low / least)
    within = torch.where(scales > 0, scales, 1.0)[:, None]
    edges = (table[1:] + table[:-1]) / 2
    codes = torch.bucketize(blocks / within, edges).to(torch.uint8)
    return codes.view(-1)[: values.numel()].view(values.shape), scales


def _blocks(values: Tensor) -> Tensor:
    """(N,) -> (ceil(N / 256), 256), zeros behind the last."""
    return torch.nn.functional.pad(values, (0, -values.numel() % BLOCK)).view(-1, BLOCK)


def _states(optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
    states: list[dict[str, Any]] = [s for s in optimizer.state.values() if "state1" in s]
    return states
