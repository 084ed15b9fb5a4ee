"""The VQA LLM's loss is the mean over supervised tokens, in float32."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from plain_batches import mean_losses, plain_batch

from seal.batch import VQAOutput
from seal.losses.vqa import VQALoss


def test_the_loss_is_the_mean_over_supervised_tokens_of_the_next_token():
    labels = torch.tensor([[-100, -100, 3, 4], [-100, 2, -100, -100]])
    batch = plain_batch(labels)
    everywhere = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(0))
    rows = everywhere[[0, 0, 1], [1, 2, 0]].bfloat16()
    assert torch.equal(everywhere.flatten(0, 1)[batch.label_positions].bfloat16(), rows)
    (loss,) = mean_losses(VQALoss(), batch, VQAOutput(rows)).values()
    rows = rows.float()
    torch.testing.assert_close(loss, F.cross_entropy(rows, torch.tensor([3, 4, 2])))
    assert loss.dtype == torch.float32
