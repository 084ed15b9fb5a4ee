"""Pretrain the miniature's language models on text of the tiny world: its stand-ins for Vicuna."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import LlamaForCausalLM

from seal.batch import VISUAL_TOKEN, Batch, Sample, Visual
from seal.data.collate import collate
from seal.miniature.corpus import Turn, Writer, vocabulary, write
from seal.miniature.pretraining import pretrain
from seal.models.vlm import LlmConfig
from seal.text.conversation import VQA, VSM, Template, conversation_row, conversation_text
from seal.text.tokenize import Tokenizer
from seal.text.tokens import (
    IMAGE_PLACEHOLDER,
    OBJECT_PLACEHOLDER,
    SEARCH_TOKENS,
    VisualSizes,
)
from seal.text.train_tokenizer import train_tokenizer

NUM_PIECES = 640  # 256 bytes and 3 controls included: every word of the world is one piece
MOST_VISUAL_TOKENS = 64  # of a picture
NO_PICTURE = torch.zeros(3, 1, 1)  # stands for all of them: nothing looks at it


def make_tokenizers(folder: Path, seed: int) -> tuple[Tokenizer, Tokenizer]:
    """The VQA LLM's and the search model's tokenizer, below `folder`; they share all pieces."""
    texts = vocabulary(seed)
    texts += [conversation_text(template, [("Is it?", "Yes.")]) for template in (VQA, VSM)] * 300
    vqa = train_tokenizer(texts, NUM_PIECES, folder / "vqa")
    return vqa, train_tokenizer(texts, NUM_PIECES, folder / "vsm", SEARCH_TOKENS)


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
    generator = torch.Generator().manual_seed(seed)

    def losses(step: int) -> dict[str, Tensor]:
        samples = [
            text_sample(tokenizer, template, write(shares, seed, index), str(index))
            for index in range(step * batch_size, (step + 1) * batch_size)
        ]
        batch = leave_room(collate(samples, pad_id=tokenizer.pad_id), tokenizer.pad_id, generator)
        hidden = model.model(
            input_ids=batch.input_ids,
            attention_mask=batch.attention_mask.long(),
            position_ids=batch.position_ids,
            use_cache=False,
        ).last_hidden_state
        logits = model.lm_head(hidden.flatten(0, 1)[batch.label_positions])
        return {"ce": F.cross_entropy(logits, batch.label_ids)}

    pretrain("text", model.named_parameters(), losses, num_steps=num_steps, rate=rate)
    return model.eval()


def text_sample(tokenizer: Tokenizer, template: Template, turn: Turn, name: str) -> Sample:
    """A turn with one visual token for every picture it speaks of."""
    question = turn[0]
    row = conversation_row(
        tokenizer,
        template,
        [turn],
        image=Visual(0, long=True) if IMAGE_PLACEHOLDER in question else None,
        objects=[Visual(0, long=True)] * question.count(OBJECT_PLACEHOLDER),
        sizes=VisualSizes(long=1),
    )
    return Sample(name, (row,), (NO_PICTURE,))


def leave_room(batch: Batch, pad_id: int, generator: torch.Generator) -> Batch:
    """Hide the visual tokens and move what follows each of them on, as far as a picture might.

    Who compares numbers that always stand side by side cannot do it any more once there are
    pictures between them; positions alone teach that, and cost nothing.
    """
    hidden = batch.input_ids == VISUAL_TOKEN
    room = torch.randint(MOST_VISUAL_TOKENS + 1, hidden.shape, generator=generator) * hidden
    return replace(
        batch,
        input_ids=batch.input_ids.masked_fill(hidden, pad_id),
        attention_mask=batch.attention_mask & ~hidden,
        position_ids=batch.position_ids + room.cumsum(1),
    )
