"""Write visual embeddings over the placeholder positions."""

from __future__ import annotations

from torch import Tensor


def splice(embeddings: Tensor, positions: Tensor, visual: Tensor) -> Tensor:
    """embeddings: (B, L, D), positions: (P,) in the flattened (B, L), visual: (P, D) -> (B, L, D).

    Not in place: the text embeddings under the placeholders take no part in the gradient.
    """
    flat = embeddings.flatten(0, 1).index_copy(0, positions, visual.to(embeddings.dtype))
    return flat.view_as(embeddings)
