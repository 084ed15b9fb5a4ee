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
from seal.images.tiles import place_on
from seal.inference.answers.protocol import Cost
from seal.inference.answers.seal_vqa import NetworkAnswerModel
from seal.inference.vicrop.layer_attention import reading
from seal.inference.vicrop.prompt_source import Beginnings, PixelPass, SeenGrid
from seal.models.parts.pixels import normalized
from seal.models.parts.vision import VisionConfig
from seal.models.vqa import VQAModel
from seal.tiling import Tiling
from seal.working_memory import VisualWorkingMemory


class SealSource:
    """A `PromptSource` on a `NetworkAnswerModel`, which shows the image padded to a square.

    A model with levels is read at the finest, whatever its router would pick: a map is as fine as
    the tokens are. Of an image in tiles, maps lie over the tokens of the local tiles, as those of
    LLaVA-NeXT do, and gradients of pixels over the tile of the whole image.
    """

    def __init__(self, answer_model: NetworkAnswerModel) -> None:
        finest = answer_model.finest_level
        self.answer_model = answer_model if finest is None else answer_model.shown_as(str(finest))
        self.max_batch = answer_model.max_batch
        self.family = "seal" if self.model.config.tiles is None else "llava_next"

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
        seen = batch.input_ids.cpu() == VISUAL_TOKEN
        length = int(seen.nonzero()[:, 1].max()) + 1  # rows are padded in front, and end alike
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
        side = model.config.vision.image_size
        costs = [
            Cost(
                tokens_read=tokens,
                images=1,
                pixels=self._num_tiles(image) * side**2,
                visual_tokens=visual,
            )
            for image, tokens, visual in zip(
                images, mask.sum(1).tolist(), seen.sum(1).tolist(), strict=True
            )
        ]
        self.cost.add(sum(costs, Cost()))
        return Beginnings(
            cache,
            mask,
            batch.position_ids[:, length - 1] + 1,
            [self._grid(i, row.nonzero().flatten()) for i, row in zip(images, seen, strict=True)],
            costs,
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
        read = Cost(
            images=1,
            pixels=len(batch.pixel_values) * vision.image_size**2,
            visual_tokens=int((batch.input_ids == VISUAL_TOKEN).sum()),
        )
        self.cost.add(read)
        self.count_read(calls=1, tokens=batch.input_ids.numel())
        return PixelPass(
            self.logits(states),
            pixels,
            lambda gradient: gradient[0, :, :seen, :seen],
            vision.patch_size,
            _covered(self._whole(image), vision),
        )

    def count_read(self, *, calls: int, tokens: int) -> None:
        self.cost.calls += calls
        self.cost.tokens_read += tokens

    def _num_tiles(self, image: Image) -> int:
        tiling = self._tiling(image)
        return 1 if tiling is None else tiling.num_tiles

    def _tiling(self, image: Image) -> Tiling | None:
        (shown,) = self.answer_model.row(VisualWorkingMemory("?", image)).visuals
        return shown.tiling

    def _grid(self, image: Image, positions: Tensor) -> SeenGrid:
        """Of an image whose tokens stand at `positions` (L,)."""
        vision = self.model.config.vision
        side, tiling = vision.grid_size, self._tiling(image)
        if tiling is None:
            return SeenGrid(positions.view(side, side), _covered(self._whole(image), vision))
        rows, columns = tiling.kept(side**2)
        if not len(rows) or not len(columns):  # too flat for what the released unpadding leaves
            whole = positions[: side**2].view(side, side)
            return SeenGrid(whole, _covered(self._whole(image), vision))
        local = positions[side**2 :].view(len(rows), len(columns) + 1)[:, :-1]  # without newlines
        size, tile = vision.image_size, vision.image_size / side
        (wide, high), (left, top) = place_on(
            *image.size, (tiling.columns * size, tiling.rows * size)
        )
        across, down = image.width / wide, image.height / high
        box = Box(
            (columns.start * tile - left) * across,
            (rows.start * tile - top) * down,
            (columns.stop * tile - left) * across,
            (rows.stop * tile - top) * down,
        )
        return SeenGrid(local, box)

    def _whole(self, image: Image) -> Box:
        """What the tower is shown as one square, in image pixels."""
        if self.model.config.tiles is not None:
            return Box(0, 0, *image.size)  # stretched
        side, dx, dy = square_padding(image.width, image.height, "center")
        return Box(-dx, -dy, side - dx, side - dy)


_ANY = new_image("RGB", (1, 1))


def _covered(view: Box, vision: VisionConfig) -> Box:
    """What the grid covers of what is shown: all, unless patches leave a remainder over."""
    width, height = (
        extent * vision.grid_size * vision.patch_size / vision.image_size
        for extent in (view.width, view.height)
    )
    return Box(view.x0, view.y0, view.x0 + width, view.y0 + height)
