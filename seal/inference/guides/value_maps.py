"""Where a target is, by how alike the values of its words and of the image's tokens are (FOCUS).

Zhong et al. 2025 (arXiv 2506.21710). Value vectors are normalized head by head. Of every target
token and layer, the similarities to all tokens, its own counted once more (the residual), are
divided by their sum; those of the image's tokens are added up over the layers, divided by their sum
and multiplied over the target's tokens, so that only what all of them point at stays.
Here, a similarity below 0 counts as 0, without which a sum may vanish; a token of the target that
is like some part of the image not at all leaves a hundredth of a fair share there, for else one
word would rule out what all others point at; and the product is a geometric mean, so that long
names are not colder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

_FLOOR = 0.01  # of a fair share, 1 / N
_NAMES = ("qzq", "xwx")  # of nothing, and unlike each other from the first letter to the last


def relevance(layers: Sequence[Tensor], image: Tensor, target: Tensor, others: Tensor) -> Tensor:
    """How relevant each token of an image is to a target.

    Args:
        layers: values of each layer, (groups, T, size); the key-value heads, not the query heads.
        image: (N,) int64, positions of the image's tokens.
        target: (S,) int64, positions of the target's tokens.
        others: (T,) bool, the tokens that there are: neither padding nor of another question.

    Returns:
        (N,) float32 > 0, of mean 1; all equal if no token is like the target at all.
    """
    shares = torch.zeros(len(target), len(image), device=image.device)
    for values in layers:
        normal = F.normalize(values.float(), dim=-1)
        words = normal[:, target.to(normal.device)]
        alike = torch.einsum("gsd,gtd->st", words, normal) / len(normal)  # (S, T)
        alike = alike.to(shares.device).clamp(min=0) * others  # layers may lie on several devices
        shares += alike[:, image] / (alike.sum(-1, keepdim=True) + 1)  # 1: the residual connection
    shares = shares / shares.sum(-1, keepdim=True).clamp(min=torch.finfo(shares.dtype).tiny)
    together = shares.clamp(min=_FLOOR / len(image)).log().mean(0).exp()
    return together / together.mean()


def target_span(tail: Callable[[str], list[int]], question: str, target: str) -> tuple[int, int]:
    """First and one past the last of a target's tokens in `tail(question.format(target))`.

    Found by what changes when another name stands there, so it holds for any tokenizer, also where
    a token reaches from the target into the words around it.

    Raises:
        ValueError: the target has no tokens.
    """
    ids = tail(question.format(target))
    first = last = len(ids)
    for name in _NAMES:  # a target may begin or end as one of them does, not as both
        other = tail(question.format(name))
        first = min(first, _alike(ids, other))
        last = min(last, _alike(ids[::-1], other[::-1]))
    if first + last >= len(ids):
        raise ValueError(f"a target of no tokens cannot be looked for: {target!r}")
    return first, len(ids) - last


def _alike(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two rows begin with in common."""
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
