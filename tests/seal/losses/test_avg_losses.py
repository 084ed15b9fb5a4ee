"""The router's loss is the original's: ranking part, total, best level and both gradients."""

from __future__ import annotations

import pytest
import torch
from golden_files import golden_cases

from seal.losses.ranking import best_level_losses, best_levels, ranking_losses


@pytest.mark.goldens("avg_losses")
@pytest.mark.parametrize("case", golden_cases("avg/losses", "cases"), ids=lambda case: case["id"])
def test_ranking_and_total_are_the_originals_with_their_gradients(case):
    feedback = torch.tensor(case["lm_loss"])
    scores = torch.tensor(case["router"], requires_grad=True)
    rank = ranking_losses(scores, feedback, margin=case["margin"]).mean()
    best = best_level_losses(scores, feedback).mean()
    total = case["rank_weight"] * rank + case["ce_weight"] * best

    def same(found: torch.Tensor, name: str) -> None:
        torch.testing.assert_close(found, torch.tensor(case[name]), rtol=1e-5, atol=1e-6)

    assert best_levels(feedback).tolist() == case["best"]
    same(rank, "rank")
    same(total, "total")
    same(torch.autograd.grad(rank, scores, retain_graph=True)[0], "grad_rank")
    same(torch.autograd.grad(total, scores)[0], "grad_total")
