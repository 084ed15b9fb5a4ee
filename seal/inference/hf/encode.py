"""Conversations to what a model's `forward` takes: the only place that touches pixels.

Each conversation is prepared by itself and then put beside the others, so that a row of a batch is
what it would be alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jinja2 import TemplateError
from PIL.Image import Image
from torch import Tensor

from seal.inference.hf.control_tokens import as_plain_text
from seal.inference.hf.model import HFModel
from seal.inference.hf.positions import prompt_positions
from seal.text.quote import quoted

# Messages of `{"role": ..., "content": [items]}`, items as of `answers.layouts`.
Conversation = Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Row:
    """One conversation. `tokens` are (L,), `pixels` as the processor packs them."""

    tokens: dict[str, Tensor]  # input_ids and what else goes along with them, of equal length
    pixels: dict[str, Tensor]
    positions: Tensor  # (L,) or (3, L)
    pictures: tuple[Image, ...]  # as they were given, in order
    num_pixels: int  # given to the vision tower, tiles and all
    num_visual: int  # tokens that stand for pictures; 0 where nobody tells which they are

    def __len__(self) -> int:
        return len(self.tokens["input_ids"])


@dataclass(frozen=True, slots=True)
class Encoded:
    """A batch, padded on the left."""

    inputs: dict[str, Tensor]  # of the model's forward: ids, masks, positions, pixels
    next_position: Tensor  # (B,) int64: of the first token behind each row
    rows: tuple[Row, ...]
    # By row and pixel input: where along its first axis that row's part lies.
    owned: tuple[dict[str, slice], ...]

    @property
    def mask(self) -> Tensor:
        """(B, P) bool: False at padding."""
        return self.inputs["attention_mask"].bool()

    @property
    def num_tokens(self) -> int:
        return sum(map(len, self.rows))

    @property
    def num_pixels(self) -> int:
        return sum(row.num_pixels for row in self.rows)

    def offset(self, row: int) -> int:
        """Where a row's first token stands behind its padding."""
        return self.inputs["input_ids"].shape[1] - len(self.rows[row])


def user(items: Sequence[dict[str, Any]]) -> Conversation:
    """One turn of a user, as `answers.layouts.user_turn` gives it."""
    return [{"role": "user", "content": list(items)}]


def encode(hf: HFModel, conversations: Sequence[Conversation]) -> Encoded:
    """A batch of prompts that the model answers next, on its device.

    Raises:
        ValueError: a picture beyond the pixel budget, or more than the template places.
    """
    return collate(hf, [encode_row(hf, conversation) for conversation in conversations])


def prompt_text(hf: HFModel, conversation: Conversation, *, answered: bool = False) -> str:
    """The prompt as text, placeholders not expanded; `answered`: it holds the answer already."""
    if hf.family.prompt is not None and not getattr(hf.processor, "chat_template", None):
        asked = list(conversation[:-1] if answered else conversation)
        prompt = hf.family.prompt.format("\n".join(_texts(asked)))
        return f"{prompt} {' '.join(_texts(conversation[-1:]))}" if answered else prompt
    try:
        text: str = hf.processor.apply_chat_template(
            list(conversation), tokenize=False, add_generation_prompt=not answered
        )
    except TemplateError as error:
        raise ValueError(
            f"{hf.name}: its chat template cannot be used ({quoted(str(error))}); fetch the model "
            "again, or give chat_template= (Jinja)"
        ) from error
    return text


def encode_row(hf: HFModel, conversation: Conversation) -> Row:
    """One conversation, on the host; see `encode`."""
    conversation = [_plain(hf, message) for message in conversation]
    pictures = [
        item["image"].convert("RGB")
        for message in conversation
        for item in message["content"]
        if item["type"] == "image"
    ]
    text = prompt_text(hf, conversation)
    given = _processed(hf, text, pictures)
    length = given["input_ids"].shape[1]
    tokens = {
        key: value
        for key, value in given.items()
        if value.shape == (1, length) and not value.is_floating_point() and "qformer" not in key
    }
    pixels = {key: value for key, value in given.items() if key not in tokens}
    row = Row(
        {key: value[0] for key, value in tokens.items()},
        pixels,
        prompt_positions(hf.model, hf.family.axes, given),
        tuple(pictures),
        _num_pixels(hf, pixels),
        _num_visual(hf, given["input_ids"]),
    )
    _require_budget(hf, row)
    return row


def collate(hf: HFModel, rows: Sequence[Row]) -> Encoded:
    """Rows beside each other, padded on the left, on the model's device."""
    longest = max(map(len, rows))
    inputs: dict[str, Tensor] = {}
    for key in dict.fromkeys(key for row in rows for key in row.tokens):
        fill = hf.pad_id if key == "input_ids" else 0
        inputs[key] = torch.stack(
            [
                F.pad(row.tokens[key], (longest - len(row), 0), value=fill)
                if key in row.tokens
                else torch.full((longest,), fill)
                for row in rows
            ]
        )
    padded = [F.pad(row.positions, (longest - len(row), 0)) for row in rows]
    inputs["position_ids"] = torch.stack(padded, dim=padded[0].dim() - 1)
    owned: list[dict[str, slice]] = [{} for _ in rows]
    for key in dict.fromkeys(key for row in rows for key in row.pixels):
        parts, start = [], 0
        for row, mine in zip(rows, owned, strict=True):
            if key in row.pixels:
                parts.append(row.pixels[key])
                mine[key] = slice(start, start := start + len(parts[-1]))
        inputs[key] = _joined(parts)
    following = [int(row.positions.max()) + 1 for row in rows]
    return Encoded(
        {key: _placed(hf, value) for key, value in inputs.items()},
        torch.tensor(following, device=hf.device),
        tuple(rows),
        tuple(owned),
    )


def _texts(messages: Sequence[dict[str, Any]]) -> list[str]:
    return [item["text"] for m in messages for item in m["content"] if item["type"] == "text"]


def _plain(hf: HFModel, message: dict[str, Any]) -> dict[str, Any]:
    """A message in which only the template can write control tokens."""
    items = [
        {**item, "text": as_plain_text(item["text"], hf.controls)} if "text" in item else item
        for item in message["content"]
    ]
    return {**message, "content": items}


def _sizes(pictures: Sequence[Image]) -> str:
    sizes = ", ".join(f"{picture.width}x{picture.height}" for picture in pictures[:4])
    more = f" and {len(pictures) - 4} more" if len(pictures) > 4 else ""
    return f"picture{'s' if len(pictures) != 1 else ''} ({sizes or 'none'}{more})"


def _processed(hf: HFModel, text: str, pictures: Sequence[Image]) -> dict[str, Tensor]:
    """What the processor makes of one prompt: (1, L) ids, and pixels."""
    if hf.model_type == "instructblip":
        return _with_queries(hf, text, pictures)
    # A template that writes the beginning of sequence itself is not given a second one.
    bos = hf.tokenizer.bos_token
    options = {"add_special_tokens": False} if bos and text.startswith(bos) else {}
    images = {"images": [list(pictures)]} if pictures else {}
    try:
        given = hf.processor(text=[text], return_tensors="pt", **images, **options)
    except (ValueError, TypeError, IndexError, StopIteration) as error:
        raise ValueError(
            f"{hf.name}: its processor fails on the {_sizes(pictures)} of one question "
            f"({quoted(str(error))}); cut or pad a picture of extreme shape, show it fewer crops, "
            "or another layout"
        ) from error
    return {key: value for key, value in given.items() if isinstance(value, Tensor)}


def _with_queries(hf: HFModel, text: str, pictures: Sequence[Image]) -> dict[str, Tensor]:
    """InstructBLIP: the queries of every picture, then the text.

    Its Q-Former reads the text too, from the beginning as far as its positions go.
    """
    processor = hf.processor
    queries = hf.model.config.num_query_tokens * len(pictures)
    ids = torch.tensor([[hf.image_token_id] * queries + processor.tokenizer(text)["input_ids"]])
    given = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if pictures:
        images = processor.image_processor(list(pictures), return_tensors="pt")
        longest = hf.model.config.qformer_config.max_position_embeddings
        read = processor.qformer_tokenizer(
            [text] * len(pictures), return_tensors="pt", truncation=True, max_length=longest
        )
        given["pixel_values"] = images["pixel_values"]
        given["qformer_input_ids"] = read["input_ids"]
        given["qformer_attention_mask"] = read["attention_mask"]
    return given


def _joined(parts: Sequence[Tensor]) -> Tensor:
    """Along the first axis, once the others are padded at their end to the largest."""
    sizes = [max(extent) for extent in zip(*(part.shape[1:] for part in parts), strict=True)]
    return torch.cat([F.pad(part, _padding(part, sizes)) for part in parts])


def _padding(part: Tensor, sizes: Sequence[int]) -> list[int]:
    ends = [size - have for size, have in zip(sizes, part.shape[1:], strict=True)]
    return [amount for end in reversed(ends) for amount in (0, end)]


def _placed(hf: HFModel, value: Tensor) -> Tensor:
    return value.to(hf.device, hf.dtype if value.is_floating_point() else None)


def _num_visual(hf: HFModel, ids: Tensor) -> int:
    mark = hf.known_image_token_id
    return 0 if mark is None else int((ids == mark).sum())


def _num_pixels(hf: HFModel, pixels: dict[str, Tensor]) -> int:
    """Of all pictures of a row as the tower is given them; tiles that only pad do not count."""
    values = pixels.get("pixel_values")
    if values is None:
        return 0
    if (grids := pixels.get("image_grid_thw")) is not None:
        return int(grids.prod(1).sum()) * int(hf.processor.image_processor.patch_size) ** 2
    if (shown := pixels.get("pixel_attention_mask")) is not None:
        return int(shown.sum())
    if (places := pixels.get("image_position_ids")) is not None:  # of patches, -1 for padding
        return int((places >= 0).all(-1).sum()) * values.shape[-1] // 3
    if values.dim() == 5:  # (pictures, tiles, 3, H, W), padded with tiles of zeros
        real = (values != 0).flatten(2).any(2)
        return int(real.sum()) * values.shape[-1] * values.shape[-2]
    return int(np.prod(values.shape)) // 3


def _require_budget(hf: HFModel, row: Row) -> None:
    most = hf.pixels.most
    if most is None or hf.pixels.can_shrink or row.num_pixels <= most * len(row.pictures):
        return
    sizes = ", ".join(f"{p.width}x{p.height}" for p in row.pictures)
    raise ValueError(
        f"{hf.name} takes {row.num_pixels} pixels for {len(row.pictures)} pictures ({sizes}), more "
        f"than max_pixels={most} for each, and {hf.model_type} cannot show them smaller: raise "
        "max_pixels, leave it out, or shrink the pictures"
    )
