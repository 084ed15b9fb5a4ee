"""The VQA LLM's loss: cross-entropy on the assistant's words."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from seal.batch import Batch, VQAOutput

LABEL_LOSSES = "label_losses"  # beside the sums: (T,) of each label, to be told by source


class VQALoss:
    """Named parts. Each is a sum; divided by its weight over a step they add up to the loss."""

    def weights(self, batch: Batch) -> dict[str, float]:
        """How much each part counts; known on the host, before any forward pass."""
        return {"ce": float(len(batch.label_ids))}

    def __call__(self, batch: Batch, output: VQAOutput) -> dict[str, Tensor]:
        """Sums over the supervised tokens of the micro-batch, and the loss of each of them."""
        each = label_losses(output.logits, batch)
        return {"ce": each.sum(), LABEL_LOSSES: each.detach()}


def label_losses(logits: Tensor, batch: Batch) -> Tensor:
    """(T, vocabulary) -> (T,) float32 cross-entropy of each supervised token."""
    return F.cross_entropy(logits.float(), batch.label_ids, reduction="none")
