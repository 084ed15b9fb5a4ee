"""A shared beginning gives what a pass over the whole sequence gives, padding or not."""

from __future__ import annotations

import pytest
import torch
from tiny_models import noise, tokenizer, vqa_model

from seal.geometry import Box
from seal.inference.answers.seal_vqa import NetworkAnswerModel
from seal.inference.prefix import extend, pad_right, read_prefix
from seal.working_memory import MemoryTarget, VisualWorkingMemory

TAILS = [[5, 6, 7], [8], [9, 10, 11, 12]]
MEMORIES = [
    VisualWorkingMemory("Is the boat red?"),
    VisualWorkingMemory("Is the boat left of the mug, or right of it?", noise()),
    VisualWorkingMemory("What?", noise(), (MemoryTarget("mug", (Box(10, 20, 50, 60),)),)),
]


@pytest.fixture(scope="module")
def vqa():
    return NetworkAnswerModel(vqa_model(), tokenizer())


def read(vqa, memories):
    batch = vqa.batch(memories)
    return read_prefix(vqa.model, vqa.model.embed(batch), batch.attention_mask, batch.position_ids)


def whole_states(vqa, memory, tail):
    """(1 + len(tail), D): states of the last prompt token and of the tail, without a cache."""
    embeddings = vqa.model.embed(vqa.batch([memory]))
    more = vqa.model.llm.get_input_embeddings()(torch.tensor([tail]))
    hidden = vqa.model.llm.model(inputs_embeds=torch.cat([embeddings, more], 1), use_cache=False)
    return hidden.last_hidden_state[0, -len(tail) - 1 :]


@torch.inference_mode()
def test_extending_a_padded_batch_equals_one_pass_each(vqa):
    prefix, last = read(vqa, MEMORIES)
    ids, mask = pad_right(TAILS, last.device)
    hidden = extend(vqa.model, prefix, ids, mask)
    for i, (memory, tail) in enumerate(zip(MEMORIES, TAILS, strict=True)):
        expected = whole_states(vqa, memory, tail)
        torch.testing.assert_close(last[i], expected[0], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(hidden[i, : len(tail)], expected[1:], atol=1e-5, rtol=1e-4)


@torch.inference_mode()
def test_a_prefix_serves_again_and_again(vqa):
    prefix, last = read(vqa, MEMORIES)
    ids, mask = pad_right(TAILS, last.device)
    first = extend(vqa.model, prefix, ids, mask)
    torch.testing.assert_close(extend(vqa.model, prefix, ids, mask), first, atol=0, rtol=0)


@torch.inference_mode()
def test_rows_can_be_repeated_and_reordered(vqa):
    prefix, _ = read(vqa, MEMORIES)
    ids, mask = pad_right(TAILS, prefix.mask.device)
    straight = extend(vqa.model, prefix, ids, mask)
    order = torch.tensor([2, 0, 2])
    mixed = extend(vqa.model, prefix.rows(order), ids[order], mask[order])
    torch.testing.assert_close(mixed, straight[order], atol=1e-5, rtol=1e-4)
