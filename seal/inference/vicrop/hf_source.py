"""Image-text models of Hugging Face as a source of prompts, all families by one class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from PIL.Image import Image
from PIL.Image import new as new_image
from torch import Tensor, nn
from transformers import DynamicCache

from seal.images import pad_to_square
from seal.inference.answers.protocol import Cost
from seal.inference.hf.control_tokens import as_plain_text
from seal.inference.hf.encode import Encoded, Row, collate, encode_row, prompt_text, user
from seal.inference.hf.image_tokens import shown_part, token_grids
from seal.inference.hf.model import HFModel
from seal.inference.vicrop.layer_attention import reading
from seal.inference.vicrop.prompt_source import Beginnings, PixelPass, SeenGrid, with_cache
from seal.inference.vicrop.released import Form
from seal.inference.vicrop.tower_pictures import tower_picture


class HFSource:
    """A `PromptSource` on a loaded model.

    An image of which the processor would cut off a part is padded to a square first, so that the
    model sees, and the map covers, all of it.
    """

    def __init__(
        self, hf: HFModel, cost: Cost, *, max_batch: int = 8, form: Form | None = None
    ) -> None:
        """`cost` is charged with what is read; `form`: how a question is put."""
        self.form = form or Form()
        self.hf = self.form.model(hf)
        self.cost = cost
        self.max_batch = max_batch
        self.family = hf.model_type

    @property
    def model(self) -> nn.Module:
        model: nn.Module = self.hf.model
        return model

    @property
    def decoder(self) -> Any:
        return self.hf.model.get_decoder()

    def logits(self, states: Tensor) -> Tensor:
        logits: Tensor = self.hf.model.get_output_embeddings()(states).float()
        return logits

    @torch.no_grad()
    def begin(self, images: Sequence[Image], last: nn.Module | None = None) -> Beginnings:
        # What stands before the question is the same, whatever the question.
        behind = len(self.tail("?"))
        shown = [self._shown(image) for image in images]
        rows = [_without_end(encode_row(self.hf, self._asked(s, "?")), behind) for s, _ in shown]
        encoded = collate(self.hf, rows)
        cache = DynamicCache()
        with reading([self.decoder], [], last=last):
            self.hf.model(**encoded.inputs, logits_to_keep=1, **with_cache(self.hf.model, cache))
        self._count_images(encoded)
        costs = [
            Cost(
                tokens_read=len(row),
                images=len(row.pictures),
                pixels=row.num_pixels,
                visual_tokens=row.num_visual,
            )
            for row in encoded.rows
        ]
        grids = [self._grid(encoded, row, moved) for row, (_, moved) in enumerate(shown)]
        return Beginnings(cache, encoded.mask, encoded.next_position, grids, costs)

    def tail(self, question: str) -> list[int]:
        plain = as_plain_text(question, self.hf.controls)
        text = prompt_text(self.hf, self._asked(_ANY, plain))
        ids: list[int] = self.hf.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids[len(ids) - ids[::-1].index(self.hf.image_token_id) :]

    def pixel_pass(self, image: Image, question: str) -> PixelPass:
        shown, moved = self._shown(image)
        encoded = collate(self.hf, [encode_row(self.hf, self._asked(shown, question))])
        # A copy: what was prepared in inference mode can have no gradient.
        pixels = encoded.inputs["pixel_values"].clone().requires_grad_()
        inputs = encoded.inputs | {"pixel_values": pixels}
        logits = self.hf.model(**inputs, use_cache=False, logits_to_keep=1).logits[0, -1]
        self._count_images(encoded)
        picture, cell = tower_picture(self.hf, encoded.rows[0])
        whole = token_grids(self.hf, encoded, 0)[0][0]
        return PixelPass(logits, pixels, picture, cell, whole.box.shift(*moved))

    def count_read(self, *, calls: int, tokens: int) -> None:
        self.cost.calls += calls
        self.cost.tokens_read += tokens

    def _asked(self, image: Image, question: str) -> Any:
        text = f"{question}{self.form.behind}"
        return user([{"type": "image", "image": image}, {"type": "text", "text": text}])

    def _shown(self, image: Image) -> tuple[Image, tuple[float, float]]:
        """The image as the processor is given it, and where its corner is in the image."""
        if self.form.picture is not None:
            image = self.form.picture(image)
        box = shown_part(self.hf.processor.image_processor, image.size)
        cut = box.x0 > 0 or box.y0 > 0 or box.x1 < image.width or box.y1 < image.height
        if not cut or not self.form.pad:
            return image, (0.0, 0.0)
        square, (dx, dy) = pad_to_square(image.convert("RGB"))
        return square, (-dx, -dy)

    def _grid(self, encoded: Encoded, row: int, moved: tuple[float, float]) -> SeenGrid:
        (grids,) = token_grids(self.hf, encoded, row)
        # The finest view there is: the tiles where a family cuts the image into such.
        finest = max(grids, key=lambda grid: grid.positions.size)
        return SeenGrid(torch.from_numpy(finest.positions), finest.box.shift(*moved))

    def _count_images(self, encoded: Encoded) -> None:
        self.cost.images += sum(len(row.pictures) for row in encoded.rows)
        self.cost.pixels += encoded.num_pixels
        self.cost.tokens_read += encoded.num_tokens
        self.cost.visual_tokens += sum(row.num_visual for row in encoded.rows)


_ANY = new_image("RGB", (1, 1))


def _without_end(row: Row, behind: int) -> Row:
    """A prompt without its last tokens."""
    length = len(row) - behind
    tokens = {key: value[:length] for key, value in row.tokens.items()}
    return replace(row, tokens=tokens, positions=row.positions[..., :length])
