"""Pretrain the miniature's language models on text of the tiny world: its stand-ins for Vicuna."""

from __future__ import annotations

import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from transformers import LlamaForCausalLM

from seal.batch import Sample
from seal.data.collate import collate
from seal.miniature.corpus import Writer, vocabulary, write
from seal.miniature.pretrain_vision import cosine_rate
from seal.models.vlm import LlmConfig
from seal.text.conversation import VQA, VSM, Template, conversation_row, conversation_text
from seal.text.tokenize import Tokenizer
from seal.text.tokens import IMAGE_END_TOKEN, IMAGE_START_TOKEN, LOC_TOKEN
from seal.text.train_tokenizer import train_tokenizer

NUM_PIECES = 640  # 256 bytes and 3 controls included: every word of the world is one piece
ADDED_TOKENS = ("<im_patch>", IMAGE_START_TOKEN, IMAGE_END_TOKEN, LOC_TOKEN)


def make_tokenizers(folder: Path, seed: int) -> tuple[Tokenizer, Tokenizer]:
    """The VQA LLM's and the search model's tokenizer, below `folder`; they share all pieces."""
    texts = vocabulary(seed)
    texts += [conversation_text(template, [("Is it?", "Yes.")]) for template in (VQA, VSM)] * 300
    vqa = train_tokenizer(texts, NUM_PIECES, folder / "vqa")
    return vqa, train_tokenizer(texts, NUM_PIECES, folder / "vsm", ADDED_TOKENS)


def pretrain_text(
    config: LlmConfig,
    tokenizer: Tokenizer,
    template: Template,
    shares: dict[Writer, float],
    *,
    seed: int,
    num_steps: int,
    batch_size: int = 48,
    rate: float = 4e-3,
) -> LlamaForCausalLM:
    """A language model that answers in `template` from text alone."""
    torch.manual_seed(seed)
    model = config.build()
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.95), weight_decay=0.01)
    began = time.monotonic()
    for step in range(num_steps):
        samples = []
        for index in range(step * batch_size, (step + 1) * batch_size):
            turn = write(shares, seed, index)
            samples.append(Sample(str(index), (conversation_row(tokenizer, template, [turn]),)))
        batch = collate(samples, pad_id=tokenizer.pad_id)
        hidden = model.model(
            input_ids=batch.input_ids,
            attention_mask=batch.attention_mask.long(),
            position_ids=batch.position_ids,
            use_cache=False,
        ).last_hidden_state
        loss = F.cross_entropy(model.lm_head(hidden[batch.supervised]), batch.supervised_labels)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = cosine_rate(step, num_steps, rate)
        optimizer.step()
        if step % 50 == 0 or step == num_steps - 1:
            print(
                f"text {step}/{num_steps}: {loss.item():.4f} ({time.monotonic() - began:.0f} s)",
                flush=True,
            )
    return model.eval()
