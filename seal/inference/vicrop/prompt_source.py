"""What differs between models whose image tokens stand among the words of a language model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any, Protocol

import torch
from PIL.Image import Image
from torch import Tensor, nn
from transformers import DynamicCache

from seal.geometry import Box
from seal.inference.answers.protocol import Cost


@dataclass(frozen=True, slots=True)
class SeenGrid:
    """Where the tokens of an image stand in its row, laid out as what they are of in the image."""

    positions: Tensor  # (rows, columns) int64
    view: Box  # what they cover, in image pixels; over the border where the image was padded


@dataclass(slots=True)
class Beginnings:
    """The prompts of U images up to where the question begins, read: P positions, padded."""

    cache: DynamicCache  # what is read behind them is added to it
    mask: Tensor  # (U, P) bool
    next_position: Tensor  # (U,) int64: of the question's first token
    grids: list[SeenGrid]  # of each image
    costs: list[Cost]  # of reading each up to there


@dataclass(slots=True)
class PixelPass:
    """One whole pass from pixels to the next token, with its graph."""

    logits: Tensor  # (vocabulary,) of the next token
    pixels: Tensor  # any shape: what the tower was given, the leaf of the graph
    # Puts a gradient of `pixels` where its picture is: (C, height, width) of what `view` covers.
    picture: Any
    patch: int  # pixels of the picture along a side of a patch
    view: Box


class PromptSource(Protocol):
    """How a model is put a question about an image, and how it is read."""

    family: str  # what is known of it: seal.inference.vicrop.default_layers
    max_batch: int  # images in one pass

    @property
    def model(self) -> nn.Module:
        """All of it."""
        ...

    @property
    def cost(self) -> Cost:
        """Of the answer model, so far."""
        ...

    @property
    def decoder(self) -> Any:
        """The language model without its head; its blocks are `layers`."""
        ...

    def logits(self, states: Tensor) -> Tensor:
        """(..., D) -> (..., vocabulary) float32."""
        ...

    def begin(self, images: Sequence[Image], last: nn.Module | None = None) -> Beginnings:
        """`last`: the attention of the block behind which nothing is wanted."""
        ...

    def tail(self, question: str) -> list[int]:
        """The token ids of a question, and of what follows it up to the answer."""
        ...

    def pixel_pass(self, image: Image, question: str) -> PixelPass: ...

    def count_read(self, *, calls: int, tokens: int) -> None:
        """Charge the answer model with what was read of it."""
        ...


def with_cache(decoder: Any, cache: DynamicCache) -> dict[str, Any]:
    """What a language model calls the keys and values it is given: renamed in transformers 5.24."""
    name = "cache" if "cache" in signature(type(decoder).forward).parameters else "past_key_values"
    return {name: cache, "use_cache": True}


def read_behind(
    source: PromptSource, begun: Beginnings, ids: Tensor, sees: Tensor, positions: Tensor
) -> Tensor:
    """(U, S, D) states of what follows the beginnings, which is added to their cache.

    ids and positions: (U, S); sees: (U, 1, S, keys) bool.
    """
    decoder = source.decoder
    embeddings = decoder.get_input_embeddings()(ids)
    states: Tensor = decoder(
        inputs_embeds=embeddings,
        attention_mask=sees,
        position_ids=positions,
        **with_cache(decoder, begun.cache),
    ).last_hidden_state
    return states


def likeliest(logits: Tensor) -> Tensor:
    """(..., V) -> (...,): log-probability of the likeliest next token."""
    best: Tensor = torch.log_softmax(logits.float(), dim=-1).amax(-1)
    return best
