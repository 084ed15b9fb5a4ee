"""Read InstructBLIP: what its Q-Former's queries see, by how much the language model heeds each.

The Q-Former reads the question too, so the question and the general question share the vision
tower's work alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor, nn

from seal.geometry import Box
from seal.inference.answers.protocol import Cost
from seal.inference.hf.encode import Encoded, Row, collate, encode_row, user
from seal.inference.hf.model import HFModel
from seal.inference.vicrop.default_layers import FamilyDefaults, default_layer, family_defaults
from seal.inference.vicrop.instructblip_prompt import QueryPrompt, image_states, query_prompt
from seal.inference.vicrop.layer_attention import may_end_early, reading
from seal.inference.vicrop.pixel_gradients import counted_pixels, frozen
from seal.inference.vicrop.prompt_source import PixelPass, likeliest
from seal.inference.vicrop.reader import (
    GENERAL_QUESTION,
    GradientFactors,
    Look,
    PixelFactors,
    RelativeFactors,
)

# Of the Q-Former's six cross-attending layers, from 0, the one that the paper's code reads.
CROSS_LAYER, CROSS_LAYERS = 2, 6


class InstructBlipReader:
    """An `AttentionReader` on InstructBLIP."""

    def __init__(
        self,
        hf: HFModel,
        cost: Cost,
        *,
        general: str = GENERAL_QUESTION,
        max_batch: int = 8,
        cross_layer: int | None = None,
        placeholders_kept: bool = False,
    ) -> None:
        """Args:
        cross_layer: of the Q-Former's that look at the image; None: the paper's, or in another
            depth the one at that fraction.
        placeholders_kept: as the original's transformers did it, what the Q-Former gives stands in
            front of its placeholders instead of in their place.
        """
        self.hf = hf
        self.cost = cost
        self.costs: list[Cost] = []
        self.general = general
        self.max_batch = max_batch
        self.placeholders_kept = placeholders_kept
        crossing = [b for b in hf.model.qformer.encoder.layer if hasattr(b, "crossattention")]
        if cross_layer is None:
            cross_layer = min(round(CROSS_LAYER / CROSS_LAYERS * len(crossing)), len(crossing) - 1)
        if not 0 <= cross_layer < len(crossing):
            raise ValueError(
                f"{hf.name}: its Q-Former looks at the image in {len(crossing)} layers, not in "
                f"layer {cross_layer} of these"
            )
        self._cross: nn.Module = crossing[cross_layer].crossattention.attention

    @property
    def model(self) -> nn.Module:
        model: nn.Module = self.hf.model
        return model

    @property
    def num_layers(self) -> int:
        return len(self._decoder.layers)

    @property
    def layer(self) -> int:
        return default_layer("instructblip", self.num_layers)

    @property
    def defaults(self) -> FamilyDefaults:
        return family_defaults("instructblip")

    @torch.no_grad()
    def relative(self, looks: Sequence[Look], *, layer: int) -> list[RelativeFactors]:
        found = []
        for look, (seen, heeded) in zip(looks, self._factors(looks, [layer]), strict=True):
            asked, general = self._laid(heeded[0] @ seen)
            found.append(RelativeFactors(asked, general, _view(look.image)))
        return found

    def factors(self, look: Look, *, layer: int) -> tuple[Tensor, Tensor]:
        """(2, Q, patches) seen by each query and (2, Q) heeded, for the question and in general."""
        with torch.no_grad():
            ((seen, heeded),) = self._factors([look], [layer])
        return seen, heeded[0, :, 0]

    def gradients(self, looks: Sequence[Look], *, layer: int) -> list[GradientFactors]:
        found = []
        self.costs = []
        for start in range(0, len(looks), self.max_batch):
            part = looks[start : start + self.max_batch]
            encoded = self._encoded([(look.image, look.question) for look in part])
            self.costs += [_alone([row]) for row in encoded.rows]
            modules = [self._cross, self._module(layer)]
            with (
                torch.enable_grad(),
                frozen(self.model),
                reading([self.hf.model.qformer, self._decoder], modules, graph=True) as attention,
            ):
                with torch.no_grad():
                    images = image_states(self.hf, encoded.inputs["pixel_values"])
                prompt = query_prompt(self.hf, encoded, images, kept=self.placeholders_kept)
                objective = likeliest(self._logits(self._read(prompt)[:, -1])).sum()
                weights = [attention.of(module) for module in modules]
                gradients = torch.autograd.grad(objective, weights)
            # Heads are multiplied before they are averaged.
            cross, own = (
                (weight * gradient.relu()).mean(1).detach()
                for weight, gradient in zip(weights, gradients, strict=True)
            )
            heeded = own[:, -1].gather(1, prompt.queries)[:, None]  # (B, 1, Q)
            maps = self._laid((heeded @ cross[..., 1:])[:, 0])  # without the class token
            found += [
                GradientFactors(each, _view(look.image))
                for each, look in zip(maps, part, strict=True)
            ]
        return found

    def pixels(self, looks: Sequence[Look]) -> list[PixelFactors]:
        found, self.costs = counted_pixels(self, looks, self.general)
        return found

    @torch.no_grad()
    def layer_maps(self, image: Image, question: str) -> list[RelativeFactors]:
        ((seen, heeded),) = self._factors([Look(image, question)], range(self.num_layers))
        maps = [self._laid(each @ seen) for each in heeded]
        return [RelativeFactors(asked, general, _view(image)) for asked, general in maps]

    def pixel_pass(self, image: Image, question: str) -> PixelPass:
        """See `prompt_source.PromptSource`."""
        encoded = self._encoded([(image, question)])
        pixels = encoded.inputs["pixel_values"].clone().requires_grad_()
        images = image_states(self.hf, pixels)
        prompt = query_prompt(self.hf, encoded, images, kept=self.placeholders_kept)
        states = self._read(prompt)
        patch = int(self.hf.model.config.vision_config.patch_size)
        logits = self._logits(states[0, -1])
        return PixelPass(logits, pixels, lambda gradient: gradient[0], patch, _view(image))

    def _factors(self, looks: Sequence[Look], layers: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
        """Of each look: (2, Q, patches) seen and (layers, 2, 1, Q) heeded, question before general.

        Means over heads.
        """
        found = []
        self.costs = []
        modules = [self._cross, *map(self._module, layers)]
        models = [self.hf.model.qformer, self._decoder]
        step = max(self.max_batch // 2, 1)
        for start in range(0, len(looks), step):
            part = looks[start : start + step]
            asked = [(look.image, q) for look in part for q in (look.question, self.general)]
            encoded = self._encoded(asked)
            images = image_states(self.hf, encoded.inputs["pixel_values"][::2]).repeat_interleave(
                2, dim=0
            )
            count = int(self.hf.model.config.num_query_tokens)
            every = torch.arange(count, device=images.device).expand(len(asked), -1)
            with reading(models[:1], modules[:1], every) as of_queries:
                prompt = query_prompt(self.hf, encoded, images, kept=self.placeholders_kept)
            last = self._module(max(layers)) if may_end_early(self._decoder) else None
            with reading(models[1:], modules[1:], last=last) as of_last:
                self._read(prompt)
            seen = of_queries.of(self._cross).mean(1)[..., 1:]  # without the class token
            heeded = torch.stack([of_last.of(m).mean(1)[:, 0] for m in modules[1:]])
            heeded = heeded.gather(2, prompt.queries.expand(len(layers), -1, -1))[:, :, None]
            for i in range(len(part)):
                both = slice(2 * i, 2 * i + 2)
                self.costs.append(_alone(encoded.rows[both]))
                found.append((seen[both], heeded[:, both]))
        return found

    @property
    def _decoder(self) -> Any:
        return self.hf.model.language_model.get_decoder()

    def _module(self, layer: int) -> nn.Module:
        if not 0 <= layer < self.num_layers:
            raise ValueError(
                f"layer={layer} is none of the {self.num_layers} of the language model: 0 to "
                f"{self.num_layers - 1}; leave it out for layer={self.layer}"
            )
        module: nn.Module = self._decoder.layers[layer].self_attn
        return module

    def _encoded(self, asked: Sequence[tuple[Image, str]]) -> Encoded:
        rows = [
            encode_row(
                self.hf, user([{"type": "image", "image": i}, {"type": "text", "text": question}])
            )
            for i, question in asked
        ]
        encoded = collate(self.hf, rows)
        self.cost.calls += len(rows)
        self.cost.tokens_read += encoded.num_tokens
        self.cost.visual_tokens += sum(row.num_visual for row in encoded.rows)
        self.cost.images += len({id(image) for image, _ in asked})
        self.cost.pixels += encoded.num_pixels // len(rows) * len({id(i) for i, _ in asked})
        return encoded

    def _read(self, prompt: QueryPrompt) -> Tensor:
        """(B, L, D)"""
        states: Tensor = self._decoder(
            inputs_embeds=prompt.embeddings,
            attention_mask=prompt.mask,
            position_ids=prompt.positions,
            use_cache=False,
        ).last_hidden_state
        return states

    def _logits(self, states: Tensor) -> Tensor:
        logits: Tensor = self.hf.model.get_output_embeddings()(states).float()
        return logits

    def _laid(self, maps: Tensor) -> np.ndarray:
        """(..., 1, patches) or (..., patches) -> (..., rows, columns) float32 on the host."""
        side = round(maps.shape[-1] ** 0.5)
        if maps.dim() == 3:
            maps = maps[:, 0]
        laid: np.ndarray = maps.float().view(-1, side, side).cpu().numpy()
        return laid


def _view(image: Image) -> Box:
    return Box(0, 0, *image.size)


def _alone(rows: Sequence[Row]) -> Cost:
    """Of questions about one image, which is shown once."""
    return Cost(
        calls=len(rows),
        tokens_read=sum(map(len, rows)),
        images=1,
        pixels=rows[0].num_pixels,
        visual_tokens=sum(row.num_visual for row in rows),
    )
