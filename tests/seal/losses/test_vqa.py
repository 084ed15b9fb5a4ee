"""The VQA LLM's loss is the mean over supervised tokens, in float32."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from seal.batch import Batch, VQAOutput
from seal.losses.vqa import VQALoss


def test_the_loss_is_the_mean_over_supervised_tokens_of_the_next_token():
    labels = torch.tensor([[-100, -100, 3, 4], [-100, 2, -100, -100]])
    empty = torch.zeros(0, dtype=torch.long)
    batch = Batch(
        ["a", "b"], labels.clamp(min=0), labels, labels > -200, labels, torch.zeros(0), empty, empty
    )
    everywhere = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(0))
    output = VQAOutput(everywhere[batch.supervised].bfloat16())
    (loss,) = VQALoss()(batch, output).values()
    rows = everywhere[[0, 0, 1], [1, 2, 0]].bfloat16().float()
    torch.testing.assert_close(loss, F.cross_entropy(rows, torch.tensor([3, 4, 2])))
    assert loss.dtype == torch.float32
