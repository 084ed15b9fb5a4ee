"""The VQA LLM's loss: cross-entropy on the assistant's words."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from seal.batch import Batch, VQAOutput


class VQALoss:
    """Named parts that sum to the total."""

    def __call__(self, batch: Batch, output: VQAOutput) -> dict[str, Tensor]:
        """Mean over the supervised tokens of the micro-batch."""
        return {"ce": F.cross_entropy(output.logits.float(), batch.supervised_labels)}
