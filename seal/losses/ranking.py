"""How a router is taught by ranking: levels the language model does better at must score higher.

AVG-LLaVA's ranking loss from LMM feedback (RGLF); must agree with the goldens `avg_losses`. Like
every loss of this folder per item: `seal.losses.granularity` adds up and weighs.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def ranking_losses(scores: Tensor, feedback: Tensor, *, margin: float = 1.0) -> Tensor:
    """Of each picture: how far the router's order of the levels is from the model's own.

    With the levels sorted by the model's loss L, the best first, and s the logarithm of the
    router's softmax: sum over distances j of the mean over i of

        max(0, s_{i+j} - s_i + margin * j * (L_{i+j} - L_i))

    scores: (P, levels) of the router; feedback: (P, levels) the model's mean cross-entropy at each
    level, no gradient -> (P,) float32. Of levels with one loss, the first counts as the better.
    """
    losses, order = feedback.detach().float().sort(dim=-1, stable=True)
    chances = F.log_softmax(scores.float(), -1).gather(-1, order)  # (P, levels), the best first
    total = torch.zeros_like(chances[:, 0])
    for distance in range(1, scores.shape[-1]):
        wrong = chances[:, distance:] - chances[:, :-distance]
        apart = losses[:, distance:] - losses[:, :-distance]
        total = total + F.relu(wrong + margin * distance * apart).mean(-1)
    return total


def best_level_losses(scores: Tensor, feedback: Tensor) -> Tensor:
    """(P, levels) twice -> (P,) cross-entropy towards the level of the least loss."""
    best = best_levels(feedback)
    return F.cross_entropy(scores.float(), best, reduction="none")


def best_levels(feedback: Tensor) -> Tensor:
    """(P, levels) losses -> (P,) int64: the least one; of equal ones the first, the coarser."""
    return feedback.detach().float().sort(dim=-1, stable=True).indices[:, 0]
