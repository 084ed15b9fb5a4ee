"""SEAL's own VQA LLM as a source of prompts: LLaMA over spliced embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from PIL.Image import Image
from PIL.Image import new as new_image
from torch import Tensor, nn
from transformers import DynamicCache

from seal.batch import VISUAL_TOKEN
from seal.geometry import Box, square_padding
from seal.inference.answers.protocol import Cost
from seal.inference.answers.seal_vqa import NetworkAnswerModel
from seal.inference.vicrop.layer_attention import reading
from seal.inference.vicrop.prompt_source import Beginnings, PixelPass, SeenGrid
from seal.models.parts.pixels import normalized
from seal.models.parts.vision import VisionConfig
from seal.models.vqa import VQAModel
from seal.working_memory import VisualWorkingMemory


class SealSource:
    """A `PromptSource` on a `NetworkAnswerModel`, which shows the image padded to a square."""

    family = "seal"

    def __init__(self, answer_model: NetworkAnswerModel) -> None:
        self.answer_model = answer_model
        self.max_batch = answer_model.max_batch

    @property
    def model(self) -> VQAModel:
        return self.answer_model.model

    @property
    def cost(self) -> Cost:
        return self.answer_model.cost

    @property
    def decoder(self) -> Any:
        return self.answer_model.model.llm.model

    def logits(self, states: Tensor) -> Tensor:
        logits: Tensor = self.answer_model.model.llm.lm_head(states).float()
        return logits

    @torch.no_grad()
    def begin(self, images: Sequence[Image], last: nn.Module | None = None) -> Beginnings:
        model = self.answer_model.model
        # What stands before the question is the same, whatever the question.
        memories = [VisualWorkingMemory("?", image) for image in images]
        batch = self.answer_model.batch(memories)
        seen = batch.input_ids[0].cpu() == VISUAL_TOKEN
        length = int(seen.nonzero().max()) + 1
        cache = DynamicCache()
        mask = batch.attention_mask[:, :length]
        embeddings = model.embed(batch)[:, :length]
        with reading([self.decoder], [], last=last):
            model.read(
                cache,
                inputs_embeds=embeddings,
                attention_mask=mask.long(),
                position_ids=batch.position_ids[:, :length],
            )
        visual = seen & batch.attention_mask[0].cpu()  # of each image alike
        self._count_images(len(images), int(mask.sum()), int(visual.sum()))
        vision = model.config.vision
        positions = seen.nonzero().view(vision.grid_size, vision.grid_size)
        return Beginnings(
            cache,
            mask,
            batch.position_ids[:, length - 1] + 1,
            [SeenGrid(positions, _seen(image, vision)) for image in images],
            [
                Cost(
                    tokens_read=tokens,
                    images=1,
                    pixels=vision.image_size**2,
                    visual_tokens=int(visual.sum()),
                )
                for tokens in mask.sum(1).tolist()
            ],
        )

    def tail(self, question: str) -> list[int]:
        # A picture of one pixel stands for any: only its place in the prompt matters.
        row = self.answer_model.row(VisualWorkingMemory(question, _ANY))
        ids: list[int] = row.input_ids.tolist()
        return ids[len(ids) - ids[::-1].index(VISUAL_TOKEN) :]

    def pixel_pass(self, image: Image, question: str) -> PixelPass:
        model = self.answer_model.model
        batch = self.answer_model.batch([VisualWorkingMemory(question, image)])
        # A copy: what was prepared in inference mode can have no gradient.
        colors = model.config.vision.normalization
        pixels = normalized(batch.pixel_values, colors).to(model.dtype).clone().requires_grad_()
        states = model.hidden_states(batch, model.vision_tower(pixels))[0, -1]
        vision = model.config.vision
        seen = vision.grid_size * vision.patch_size  # pixels a side
        self._count_images(1, 0, int((batch.input_ids == VISUAL_TOKEN).sum()))
        self.count_read(calls=1, tokens=batch.input_ids.numel())
        return PixelPass(
            self.logits(states),
            pixels,
            lambda gradient: gradient[0, :, :seen, :seen],
            vision.patch_size,
            _seen(image, vision),
        )

    def count_read(self, *, calls: int, tokens: int) -> None:
        self.cost.calls += calls
        self.cost.tokens_read += tokens

    def _count_images(self, images: int, tokens: int, visual: int) -> None:
        cost, side = self.cost, self.answer_model.model.config.vision.image_size
        cost.images += images
        cost.pixels += images * side**2
        cost.tokens_read += tokens
        cost.visual_tokens += visual * images


_ANY = new_image("RGB", (1, 1))


def _view(image: Image) -> Box:
    """The square that holds the image, in image pixels."""
    side, dx, dy = square_padding(image.width, image.height, "center")
    return Box(-dx, -dy, side - dx, side - dy)


def _seen(image: Image, vision: VisionConfig) -> Box:
    """What of that square the grid covers: all of it, unless patches leave a remainder over."""
    view = _view(image)
    side = view.width * vision.grid_size * vision.patch_size / vision.image_size
    return Box(view.x0, view.y0, view.x0 + side, view.y0 + side)
