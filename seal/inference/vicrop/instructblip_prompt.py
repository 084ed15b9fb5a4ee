"""InstructBLIP step by step: what its language model is given for an image and a question."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from seal.inference.hf.encode import Encoded
from seal.inference.hf.model import HFModel


@dataclass(frozen=True, slots=True)
class QueryPrompt:
    """What the language model is given for B rows."""

    embeddings: Tensor  # (B, L, D)
    mask: Tensor  # (B, L) int64
    positions: Tensor  # (B, L) int64
    queries: Tensor  # (B, Q) int64: where what the Q-Former's queries found stands


def image_states(hf: HFModel, pixels: Tensor) -> Tensor:
    """(B, 3, S, S) -> (B, 1 + patches, C) of the vision tower, its class token first."""
    states: Tensor = hf.model.vision_model(pixel_values=pixels).last_hidden_state
    return states


def query_prompt(hf: HFModel, encoded: Encoded, images: Tensor, *, kept: bool) -> QueryPrompt:
    """The Q-Former's queries look at the images and read the questions; then come the texts.

    Args:
        images: (B, 1 + patches, C), as of `image_states`.
        kept: what they found stands in front of its placeholders, not in their place.
    """
    model, inputs = hf.model, encoded.inputs
    queries = model.query_tokens.expand(len(images), -1, -1)
    count = queries.shape[1]
    seen = torch.ones(images.shape[:2], dtype=torch.long, device=images.device)
    asking = torch.cat([seen.new_ones(len(images), count), inputs["qformer_attention_mask"]], 1)
    states = model.qformer(
        input_ids=inputs["qformer_input_ids"],
        attention_mask=asking,
        query_embeds=queries,
        encoder_hidden_states=images,
        encoder_attention_mask=seen,
    ).last_hidden_state[:, :count]
    ids, mask = inputs["input_ids"], inputs["attention_mask"].long()
    embeddings = model.language_model.get_decoder().get_input_embeddings()(ids)
    features = model.language_projection(states).to(embeddings.dtype)  # (B, Q, D)
    if kept:
        embeddings = torch.cat([features, embeddings], dim=1)
        mask = torch.cat([mask.new_ones(len(ids), count), mask], dim=1)
        places = torch.arange(count, device=ids.device).expand(len(ids), -1)
    else:
        places = (ids == hf.image_token_id).nonzero()[:, 1].view(len(ids), count)
        embeddings = embeddings.scatter(1, places[..., None].expand_as(features), features)
    return QueryPrompt(embeddings, mask, (mask.cumsum(1) - 1).clamp(min=0), places)
