"""Pretrain the miniature's language models on text of the tiny world: its stand-ins for Vicuna."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import LlamaForCausalLM

from seal.batch import Sample
from seal.data.collate import collate
from seal.miniature.corpus import Writer, vocabulary, write
from seal.miniature.pretraining import pretrain
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

    def losses(step: int) -> dict[str, Tensor]:
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
        logits = model.lm_head(hidden[batch.supervised])
        return {"ce": F.cross_entropy(logits, batch.supervised_labels)}

    pretrain("text", model.named_parameters(), losses, num_steps=num_steps, rate=rate)
    return model.eval()
