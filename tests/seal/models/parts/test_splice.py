"""Visual embeddings are written over their positions, and only there."""

from __future__ import annotations

import torch

from seal.models.parts.splice import splice


def test_each_embedding_is_written_where_its_index_says():
    embeddings = torch.zeros(2, 3, 4)
    visual = torch.arange(1, 13, dtype=torch.float32).view(3, 4)
    out = splice(embeddings, torch.tensor([4, 0, 2]), visual)
    assert torch.equal(out[1, 1], visual[0]) and torch.equal(out[0, 0], visual[1])
    assert torch.equal(out[0, 2], visual[2])
    assert not out[0, 1].any() and not out[1, 0].any() and not out[1, 2].any()


def test_what_lies_underneath_has_no_gradient_and_the_visual_one_has():
    embeddings = torch.ones(1, 2, 3, requires_grad=True)
    visual = torch.ones(1, 3, requires_grad=True)
    splice(embeddings, torch.tensor([1]), visual).sum().backward()
    assert embeddings.grad.tolist() == [[[1, 1, 1], [0, 0, 0]]]
    assert visual.grad.tolist() == [[1, 1, 1]]


def test_visual_embeddings_take_the_precision_of_the_words():
    out = splice(torch.zeros(1, 2, 3, dtype=torch.bfloat16), torch.tensor([0]), torch.ones(1, 3))
    assert out.dtype == torch.bfloat16
