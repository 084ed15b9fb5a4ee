"""Write visual embeddings over the placeholder positions, in order of appearance."""

from __future__ import annotations

import torch
from torch import Tensor

from seal.batch import VISUAL_TOKEN, Batch


def splice(embeddings: Tensor, input_ids: Tensor, visual: Tensor) -> Tensor:
    """embeddings: (B, L, D), input_ids: (B, L), visual: (P, D) in row-major order -> (B, L, D).

    Raises:
        ValueError: the rows have another number of placeholders than there are embeddings.
    """
    slots = input_ids == VISUAL_TOKEN
    count = int(slots.sum())
    if count != visual.shape[0]:
        raise ValueError(
            f"{count} visual placeholders in the rows, but {visual.shape[0]} visual embeddings: "
            "the tokenizer's VisualSizes and the model's tower or resampler disagree"
        )
    if count == 0:
        return embeddings
    # Not in place: the text embeddings under the placeholders take no part in the gradient.
    index = slots.flatten().nonzero().squeeze(1)
    flat = embeddings.flatten(0, 1).index_copy(0, index, visual.to(embeddings.dtype))
    return flat.view_as(embeddings)


def arrange(long: Tensor, short: Tensor, batch: Batch, long_index: Tensor) -> Tensor:
    """Line up projected tokens as the rows show them.

    long: (N_long, T, D) and short: (N_short, S, D) hold the images that some row shows that way;
    long_index: (V,) where each run's image stands in its tensor. Returns (P, D).
    """
    runs = [
        long[i] if is_long else short[i]
        for i, is_long in zip(long_index.tolist(), batch.visual_long.tolist(), strict=True)
    ]
    if not runs:
        return long.new_zeros(0, long.shape[-1])
    return torch.cat(runs)
