"""Positions of a prompt's tokens, always told to the model and never left to what it remembers.

Models of several axes (M-RoPE) else keep the last prompt's offset on the module, or take text
positions in silence where one of three inputs is missing.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def prompt_positions(model: Any, axes: bool, row: dict[str, Tensor]) -> Tensor:
    """(L,) positions of one row without padding, or (3, L) with `axes`.

    row: what the processor gave for one conversation, (1, L) and pixels.
    """
    length = row["input_ids"].shape[1]
    if not axes:
        return torch.arange(length)
    if row.get("image_grid_thw") is None:
        return torch.arange(length).expand(3, length)
    kinds = row.get("mm_token_type_ids")
    if kinds is None:
        kinds = (row["input_ids"] == model.config.image_token_id).long()
    positions, _ = model.model.get_rope_index(
        row["input_ids"],
        mm_token_type_ids=kinds,
        image_grid_thw=row["image_grid_thw"],
        attention_mask=torch.ones_like(row["input_ids"]),
    )
    axes_of_row: Tensor = positions[-3:, 0]
    return axes_of_row.cpu()


def next_positions(next_position: Tensor, mask: Tensor, axes: bool) -> Tensor:
    """Positions of text behind a prompt.

    next_position: (B,) of the first token; mask: (B, L) bool, False at padding on the right.
    Returns (B, L), or (3, B, L) with `axes`: on all of them text goes on alike.
    """
    steps = (mask.long().cumsum(1) - 1).clamp(min=0)
    positions = next_position[:, None] + steps
    return positions.expand(3, *positions.shape) if axes else positions
