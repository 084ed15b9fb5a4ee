"""The one LLaVA: tower -> projectors -> splice -> language model on `inputs_embeds`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache, LlamaModel

from seal.batch import Batch
from seal.models.parts.llm import LlmConfig
from seal.models.parts.packed_attention import packed_inputs
from seal.models.parts.pixels import normalized
from seal.models.parts.projectors import ResamplerConfig, build_projector
from seal.models.parts.row_dropout import RowSeeds
from seal.models.parts.scaler import scale_tokens
from seal.models.parts.splice import splice
from seal.models.parts.vision import VisionConfig

EMBEDDINGS, HEAD = "llm.model.embed_tokens.weight", "llm.lm_head.weight"
# What the language model calls the keys and values it is given: renamed in transformers 5.24.
_CACHE = "cache" if "cache" in signature(LlamaModel.forward).parameters else "past_key_values"


@dataclass(frozen=True, slots=True)
class VisualTokens:
    """Pictures as the language model reads them; where a projector has none, of a zero image."""

    long: Tensor  # (N, T, D) of `Batch.long_images`, all tokens
    short: Tensor | None  # (M, latents, D) of `Batch.short_images`; None: there is no resampler


class VLM(nn.Module):
    """Reads a `Batch`; what it returns is up to the model that uses it."""

    def __init__(
        self,
        llm: LlmConfig,
        vision: VisionConfig,
        resampler: ResamplerConfig | None = None,
        *,
        projector: str = "linear",
        levels: Sequence[int] = (),
        newline: bool = False,
    ) -> None:
        """`levels`: tokens that those of a picture may be averaged to, beside all of them;
        `newline`: pictures come in tiles, the rows of which end in a learned embedding."""
        super().__init__()
        self.llm = llm.build()
        self.vision_tower = vision.build()
        self.image_projector = build_projector(projector, vision.hidden_size, llm.hidden_size)
        self.object_projector = (
            None if resampler is None else resampler.build(vision.hidden_size, llm.hidden_size)
        )
        self.image_newline = None
        if newline:  # as the word embeddings of a LLaMA are drawn
            self.image_newline = nn.Parameter(torch.randn(llm.hidden_size) * llm.hidden_size**-0.5)
        self.levels = {*levels, vision.num_tokens}
        self.trains_tower = False  # whether a graph is kept of its work
        self._image_shape = (3, vision.image_size, vision.image_size)
        self.row_seeds: RowSeeds | None = None  # set with LoRA; what its dropout draws from

    @property
    def device(self) -> torch.device:
        return next(self.image_projector.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.image_projector.parameters()).dtype

    def stored_state(self) -> dict[str, Tensor]:
        """Each tensor once: an LM head that is the word embeddings is not among them."""
        state = self.state_dict()
        if self.llm.config.tie_word_embeddings:
            del state[HEAD]
        return state

    def tie_weights(self) -> None:
        """After word embeddings were replaced: make them the LM head, if they were."""
        if self.llm.config.tie_word_embeddings:
            self.llm.lm_head.weight = self.llm.get_input_embeddings().weight

    def encode_images(self, pixels: Tensor) -> Tensor:
        """(N, 3, S, S) bytes, or normalized -> (N, T, C); of a frozen tower no graph is kept."""
        with torch.set_grad_enabled(self.trains_tower and torch.is_grad_enabled()):
            colors = self.vision_tower.config.normalization
            return self.vision_tower(normalized(pixels, colors).to(self.dtype))

    def visual_tokens(self, batch: Batch, features: Tensor | None = None) -> VisualTokens:
        """The batch's pictures through their projectors.

        `features` (N, T, C) saves the tower's work. Every projector runs in every call, on an
        all-zero image if no row needs it: under ZeRO-3 a rank that skips a module hangs the
        others, and a parameter without a gradient desynchronizes the reduction.
        """
        if features is None:
            pixels = batch.pixel_values
            if pixels.shape[0] == 0:
                pixels = torch.zeros((1, *self._image_shape), device=pixels.device)
            features = self.encode_images(pixels)
        features = features.to(self.dtype)
        if len(batch.short_images) and self.object_projector is None:
            raise ValueError(
                "a row asks for resampled tokens, but the model has no object projector"
            )
        long = self._project(self.image_projector, features, batch.long_images)
        if self.object_projector is None:
            return VisualTokens(long, None)
        return VisualTokens(
            long, self._project(self.object_projector, features, batch.short_images)
        )

    def embed(
        self, batch: Batch, features: Tensor | None = None, tokens: VisualTokens | None = None
    ) -> Tensor:
        """(B, L, D) input embeddings, visual ones in place.

        `features` as of `visual_tokens`; `tokens`: what that returned.

        Raises:
            ValueError: pictures take other numbers of positions than there are embeddings.
        """
        if tokens is None:
            tokens = self.visual_tokens(batch, features)
        embeddings = self.llm.get_input_embeddings()(batch.input_ids.clamp(min=0))
        if len(batch.visual_positions):
            table = self._table(batch, tokens).index_select(0, batch.visual_sources)
            embeddings = splice(embeddings, batch.visual_positions, table)
        # What no row shows takes part all the same; see `visual_tokens`.
        unused: list[Tensor] = [] if self.image_newline is None else [self.image_newline]
        unused += [] if len(batch.long_images) else [tokens.long]
        unused += [] if tokens.short is None or len(batch.short_images) else [tokens.short]
        for tensor in unused:
            # Scaled first: the gradient of a bare sum is one number spread over the tensor, which
            # does not fit a parameter that ZeRO-3 has taken apart by then.
            embeddings = embeddings + (0.0 * tensor).sum().to(embeddings.dtype)
        return embeddings

    def _table(self, batch: Batch, tokens: VisualTokens) -> Tensor:
        """(rows, D): what `Batch.visual_sources` counts."""
        known = all(level in self.levels for level in batch.long_levels)
        there = tokens.short.shape[1] if tokens.short is not None and batch.short_length else 0
        if not known or there != batch.short_length:
            raise ValueError(
                f"pictures take {(*batch.long_levels, batch.short_length)} positions in the rows, "
                f"but one is {', '.join(map(str, sorted(self.levels)))} visual embeddings through "
                f"the image projector and {there} through the object projector: the tokenizer's "
                "VisualSizes and the model's tower, levels or resampler disagree"
            )
        parts = [scale_tokens(tokens.long, level) for level in batch.long_levels]
        if batch.short_length and tokens.short is not None:
            parts.append(tokens.short)
        flat = [part.flatten(0, 1) for part in parts]
        if self.image_newline is not None:
            flat.append(self.image_newline[None].to(flat[0].dtype))
        return torch.cat(flat)

    def _project(self, projector: nn.Module, features: Tensor, images: Tensor) -> Tensor:
        """The chosen images through a projector; without any, one that stands for none."""
        return projector(features.index_select(0, images) if len(images) else features[:1])

    def hidden_states(
        self, batch: Batch, features: Tensor | None = None, tokens: VisualTokens | None = None
    ) -> Tensor:
        """(B, L, D) after the final norm; `features` and `tokens` as of `embed`."""
        if self.row_seeds is not None:
            self.row_seeds.begin(batch.step, batch.row_keys, batch.position_ids)
        inputs: dict[str, Any] = {"attention_mask": batch.attention_mask.long()}
        if batch.documents:
            inputs = packed_inputs(batch.documents, batch.branches, batch.input_ids)
        return self.llm.model(
            inputs_embeds=self.embed(batch, features, tokens),
            position_ids=batch.position_ids,
            use_cache=False,
            **inputs,
        ).last_hidden_state

    def supervised_logits(self, batch: Batch, hidden: Tensor) -> Tensor:
        """(T, vocabulary): only the positions that carry a label reach the LM head."""
        return self.llm.lm_head(hidden.flatten(0, 1).index_select(0, batch.label_positions))

    @torch.inference_mode()
    def generate(
        self,
        batch: Batch,
        max_new_tokens: int,
        *,
        features: Tensor | None = None,
        stop_ids: Collection[int] = (),
        end_ids: Collection[int] = (),
    ) -> list[list[int]]:
        """Greedy continuation of each row, padded on either side, without what ended it.

        A prefix the answer must begin with is the end of the row. A row ends at the end of
        sequence, at another of `end_ids` or at an id of `stop_ids` (which is kept); the batch ends
        when every row has.
        """
        embeddings, mask, positions = pad_left(
            self.embed(batch, features), batch.attention_mask, batch.position_ids
        )
        cache = DynamicCache()
        hidden = self.read(
            cache, inputs_embeds=embeddings, attention_mask=mask.long(), position_ids=positions
        )[:, -1]
        return self.decode_greedily(
            hidden, cache, mask, positions[:, -1] + 1,
            max_new_tokens=max_new_tokens, stop_ids=stop_ids, end_ids=end_ids,
        )  # fmt: skip

    def read(self, cache: DynamicCache, **inputs: Tensor) -> Tensor:
        """(B, L, D) states of what follows what `cache` holds, which they are added to.

        inputs: of the language model; see its `forward`.
        """
        states: Tensor = self.llm.model(
            **inputs, use_cache=True, **{_CACHE: cache}
        ).last_hidden_state
        return states

    def decode_greedily(
        self,
        hidden: Tensor,
        cache: DynamicCache,
        mask: Tensor,
        positions: Tensor,
        *,
        max_new_tokens: int,
        stop_ids: Collection[int] = (),
        end_ids: Collection[int] = (),
    ) -> list[list[int]]:
        """The likeliest tokens behind what `cache` holds, which they are added to.

        Args:
            hidden: (B, D), each row's last state, which predicts the first token.
            mask: (B, L) bool, False at the padding of what `cache` holds.
            positions: (B,) of the first token.
        """

        def following(chosen: Tensor, step: int) -> Tensor:
            nonlocal mask
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
            states = self.read(
                cache,
                input_ids=chosen[:, None],
                attention_mask=mask.long(),
                position_ids=positions[:, None] + step,
            )
            return self._likeliest(states[:, -1])

        return self.greedy_answers(
            self._likeliest(hidden), following,
            max_new_tokens=max_new_tokens, stop_ids=stop_ids, end_ids=end_ids,
        )  # fmt: skip

    def greedy_answers(
        self,
        chosen: Tensor,
        following: Callable[[Tensor, int], Tensor],
        *,
        max_new_tokens: int,
        stop_ids: Collection[int] = (),
        end_ids: Collection[int] = (),
    ) -> list[list[int]]:
        """(B,) first tokens -> the answers of which each token is `following` the one before.

        following: is given (B,) tokens and how many came before them; returns (B,), the next ones.
        `stop_ids` and `end_ids` as of `generate`.
        """
        ends = {self.llm.config.eos_token_id, *end_ids}
        answers: list[list[int]] = [[] for _ in chosen]
        alive = [True] * len(answers)
        for step in range(max_new_tokens):
            for i, token in enumerate(chosen.tolist()):
                if alive[i] and token not in ends:
                    answers[i].append(token)
                alive[i] = alive[i] and token not in ends and token not in stop_ids
            if not any(alive) or step + 1 == max_new_tokens:
                break
            chosen = following(chosen, step)
        return answers

    def _likeliest(self, states: Tensor) -> Tensor:
        """(B, D) states -> (B,) the tokens they predict."""
        return self.llm.lm_head(states).argmax(-1)


def pad_left(embeddings: Tensor, mask: Tensor, positions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Turn each row until it ends at the last position: what is generated follows on.

    embeddings: (B, L, D), mask: (B, L) bool, positions: (B, L) -> the same shapes.

    Raises:
        ValueError: a row in which nothing is attended.
    """
    if not bool(mask.any(1).all()):
        raise ValueError("a row to be continued attends to nothing")
    length = mask.shape[1]
    trailing = mask.flip(1).long().argmax(1)  # (B,) padding after the last attended position
    if not bool(trailing.any()):
        return embeddings, mask, positions
    index = (torch.arange(length, device=mask.device) - trailing[:, None]) % length  # (B, L)
    return (
        embeddings.gather(1, index[..., None].expand_as(embeddings)),
        mask.gather(1, index),
        positions.gather(1, index),
    )
