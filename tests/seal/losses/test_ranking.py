"""What the ranking loss rewards, whatever the number of levels."""

from __future__ import annotations

import torch

from seal.losses.ranking import best_level_losses, best_levels, ranking_losses


def test_an_order_that_keeps_every_margin_costs_nothing_and_the_reverse_costs_most():
    feedback = torch.tensor([[0.3, 0.1, 0.2, 0.6]])
    right = -10 * feedback
    wrong = 10 * feedback
    assert ranking_losses(right, feedback).tolist() == [0.0]
    for other in (torch.zeros(1, 4), torch.randn(1, 4, generator=torch.Generator().manual_seed(0))):
        assert 0 < ranking_losses(other, feedback) < ranking_losses(wrong, feedback)


def test_each_picture_has_its_own_loss_and_a_constant_on_its_scores_changes_nothing():
    generator = torch.Generator().manual_seed(1)
    scores, feedback = (torch.rand(5, 3, generator=generator) for _ in range(2))
    together = ranking_losses(scores, feedback, margin=2.0)
    alone = [ranking_losses(scores[i : i + 1], feedback[i : i + 1], margin=2.0) for i in range(5)]
    torch.testing.assert_close(together, torch.cat(alone))
    torch.testing.assert_close(together, ranking_losses(scores + 7, feedback, margin=2.0))
    assert together.shape == best_level_losses(scores, feedback).shape == (5,)


def test_of_levels_with_one_loss_the_coarser_is_the_best():
    feedback = torch.tensor([[0.5, 0.2, 0.2, 0.2], [0.1, 0.1, 0.1, 0.1]])
    assert best_levels(feedback).tolist() == [1, 0]


def test_the_feedback_gets_no_gradient():
    scores = torch.zeros(1, 3, requires_grad=True)
    feedback = torch.tensor([[0.3, 0.1, 0.2]], requires_grad=True)
    (ranking_losses(scores, feedback) + best_level_losses(scores, feedback)).sum().backward()
    assert feedback.grad is None
    # By hand: towards the second level, away from the first, by the two distances and the softmax.
    assert scores.grad is not None and scores.grad.argmin() == 1 and scores.grad.argmax() == 0
