"""The VQA LLM's loss: cross-entropy on the assistant's words."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from seal.batch import Batch, VQAOutput


class VQALoss:
    """Named parts. Each is a sum; divided by its weight over a step they add up to the loss."""

    def weights(self, batch: Batch) -> dict[str, float]:
        """How much each part counts; known on the host, before any forward pass."""
        return {"ce": float(len(batch.label_ids))}

    def __call__(self, batch: Batch, output: VQAOutput) -> dict[str, Tensor]:
        """Sums over the supervised tokens of the micro-batch."""
        return {"ce": F.cross_entropy(output.logits.float(), batch.label_ids, reduction="sum")}
