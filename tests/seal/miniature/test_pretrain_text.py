"""Text pretraining leaves room for pictures: in positions, and for nothing to look at."""

from __future__ import annotations

import torch

from seal.batch import VISUAL_TOKEN
from seal.data.collate import collate
from seal.miniature.base_models import ASSETS
from seal.miniature.pretrain_text import MOST_VISUAL_TOKENS, leave_room, text_sample
from seal.text.conversation import VQA
from seal.text.tokenize import load_tokenizer

TURN = (
    "<image>\nboat <object> at location [0,0,1,1]; kite <object> at location [0,0,1,1].",
    "Yes.",
)


def test_text_after_a_picture_moves_on_by_up_to_its_tokens_and_nothing_looks_at_it():
    tokenizer = load_tokenizer(ASSETS / "vqa_base")
    batch = collate([text_sample(tokenizer, VQA, TURN, "0")], pad_id=tokenizer.pad_id)
    hidden = batch.input_ids == VISUAL_TOKEN
    assert hidden.sum() == 3
    rooms = []
    for seed in range(50):
        moved = leave_room(batch, tokenizer.pad_id, torch.Generator().manual_seed(seed))
        assert (moved.input_ids >= 0).all()
        assert torch.equal(moved.attention_mask, batch.attention_mask & ~hidden)
        assert torch.equal(moved.labels, batch.labels)
        steps = moved.position_ids.diff() - batch.position_ids.diff()
        assert (steps[~hidden[:, 1:]] == 0).all()  # only at pictures
        rooms += steps[hidden[:, 1:]].tolist()
    assert min(rooms) >= 0
    assert max(rooms) <= MOST_VISUAL_TOKENS
    assert len(set(rooms)) > 30


def test_text_without_pictures_stays_as_it_is():
    tokenizer = load_tokenizer(ASSETS / "vqa_base")
    turn = ("Is it?", "Yes.")
    batch = collate([text_sample(tokenizer, VQA, turn, "0")], pad_id=tokenizer.pad_id)
    moved = leave_room(batch, tokenizer.pad_id, torch.Generator().manual_seed(0))
    assert torch.equal(moved.input_ids, batch.input_ids)
    assert torch.equal(moved.position_ids, batch.position_ids)
    assert torch.equal(moved.attention_mask, batch.attention_mask)
