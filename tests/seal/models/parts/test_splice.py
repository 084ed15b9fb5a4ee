"""Visual embeddings land on the placeholders, in order of appearance."""

from __future__ import annotations

import pytest
import torch

from seal.batch import VISUAL_TOKEN
from seal.models.parts.splice import splice

IDS = torch.tensor([[5, VISUAL_TOKEN, VISUAL_TOKEN, 6], [VISUAL_TOKEN, 7, 8, VISUAL_TOKEN]])


def test_embeddings_are_written_row_by_row_in_order():
    text = torch.zeros(2, 4, 3)
    visual = torch.arange(1.0, 5.0)[:, None].expand(4, 3)
    spliced = splice(text, IDS, visual)[..., 0]
    assert spliced.tolist() == [[0, 1, 2, 0], [3, 0, 0, 4]]
    assert not text.any()


def test_gradients_reach_visual_embeddings_and_the_text_that_is_left():
    text, visual = torch.zeros(2, 4, 3, requires_grad=True), torch.zeros(4, 3, requires_grad=True)
    splice(text, IDS, visual).sum().backward()
    assert (visual.grad == 1).all()
    assert torch.equal(text.grad[..., 0] == 1, IDS != VISUAL_TOKEN)


def test_text_alone_is_left_as_it_is():
    text = torch.randn(1, 3, 2)
    assert splice(text, torch.tensor([[1, 2, 3]]), torch.zeros(0, 2)) is text


@pytest.mark.parametrize("count", [0, 3, 5])
def test_another_number_of_embeddings_than_placeholders_is_an_error_with_both_numbers(count):
    with pytest.raises(ValueError, match=f"4 visual placeholders.* {count} visual embeddings"):
        splice(torch.zeros(2, 4, 3), IDS, torch.zeros(count, 3))
