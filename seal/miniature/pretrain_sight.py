"""Pretrain a language model to look things up in a picture it is told in words, at any level.

Each patch speaks the names of what lies in it, all at once: the sum of their word embeddings. That
is what an aligned projector makes of the tower's tokens, so a model raised on it has only to be
aligned. Coarser levels are averages, as they are of real tokens. No picture is drawn for it, and no
scene of any other split is shown.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from transformers import LlamaForCausalLM

from seal.batch import VISUAL_TOKEN, Row, Visual
from seal.geometry import Box
from seal.miniature.corpus import DESCRIBE
from seal.miniature.distances import TILE, draw_questions, draw_scene
from seal.miniature.pretrain_vision import LABELS, cells_of
from seal.miniature.pretraining import pretrain
from seal.miniature.views import View
from seal.miniature.world import Scene
from seal.miniature.world_questions import scene_caption, thing_caption
from seal.models.parts.scaler import scale_tokens
from seal.text.conversation import VQA, conversation_row
from seal.text.tokenize import Tokenizer
from seal.text.tokens import IMAGE_PLACEHOLDER, VisualSizes
from seal.tiling import NEWLINE, Tiling, standard_levels

SIDE = 8  # patches of a tile
LEVELS = standard_levels(SIDE)
CAPTION_SHARE = 0.2  # of conversations that begin with a caption
RATE, MATRIX_RATE = 2e-3, 1e-2  # peaks


@dataclass(frozen=True, slots=True)
class Told:
    """A picture in words and a conversation about it."""

    cells: NDArray[np.float32]  # (tiles, SIDE * SIDE, labels), the whole picture's tile first
    tiling: Tiling
    turns: list[tuple[str, str]]


def tell(world: int, index: int) -> Told:
    """Scene number `index` of a world, told."""
    _, scene = draw_scene(world, index)
    rng = np.random.default_rng((world, index, 1))
    turns = [(asked.text, asked.answer) for asked, _ in draw_questions(scene, rng)]
    if rng.random() < CAPTION_SHARE:
        caption = scene_caption(scene.shown)
        if rng.random() < 0.5:
            caption = thing_caption(scene.objects[0])
        turns = [(DESCRIBE, caption), *turns[1:]]
    columns, rows = scene.width // TILE, scene.height // TILE
    boxes = [Box(0, 0, scene.width, scene.height)]
    boxes += [
        Box(x * TILE, y * TILE, (x + 1) * TILE, (y + 1) * TILE)
        for y in range(rows)
        for x in range(columns)
    ]
    cells = np.stack([_cells(scene, box) for box in boxes])
    return Told(cells, Tiling(columns, rows, scene.width, scene.height, SIDE), turns)


def _cells(scene: Scene, box: Box) -> NDArray[np.float32]:
    """(SIDE * SIDE, labels) of a part of a scene, stretched to a tile."""

    def placed(inner: Box) -> tuple[float, float, float, float]:
        x0, x1 = inner.x0 / box.width, inner.x1 / box.width
        y0, y1 = inner.y0 / box.height, inner.y1 / box.height
        return (x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0

    return cells_of(View(scene, box), SIDE, placed).reshape(SIDE * SIDE, len(LABELS))


def pretrain_sight(
    model: LlamaForCausalLM,
    tokenizer: Tokenizer,
    *,
    seed: int,
    num_steps: int,
    batch_size: int = 24,
) -> None:
    """Train `model` in place; all conversations of a step are read at one level."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    words = torch.tensor([_word(tokenizer, label) for label in LABELS])
    names = model.get_input_embeddings()

    def losses(step: int) -> dict[str, Tensor]:
        level = int(rng.choice(LEVELS))
        told = [tell(seed, index) for index in range(step * batch_size, (step + 1) * batch_size)]
        rows = [_row(tokenizer, one, level) for one in told]
        length = max(len(row.input_ids) for row in rows)
        embedded, labels = [], []
        for one, row in zip(told, rows, strict=True):
            tokens = torch.from_numpy(one.cells) @ names(words)  # (tiles, SIDE * SIDE, D)
            flat = scale_tokens(tokens, level).flatten(0, 1)
            flat = torch.cat([flat, flat.new_zeros(1, flat.shape[1])])  # the last is the newline
            cells = torch.from_numpy(one.tiling.cells(level))
            shown = flat[torch.where(cells == NEWLINE, len(flat) - 1, cells)]
            places = (row.input_ids == VISUAL_TOKEN).nonzero()[:, 0]
            own = names(row.input_ids.clamp(min=0)).index_put((places,), shown)
            embedded.append(F.pad(own, (0, 0, 0, length - len(own))))
            labels.append(F.pad(row.labels, (0, length - len(own)), value=-100))
        hidden = model.model(inputs_embeds=torch.stack(embedded), use_cache=False).last_hidden_state
        wanted = torch.stack(labels)[:, 1:]
        learnt = wanted != -100
        logits = model.lm_head(hidden[:, :-1][learnt])
        return {"ce": F.cross_entropy(logits, wanted[learnt])}

    pretrain(
        "sight", model.named_parameters(), losses,
        num_steps=num_steps, rate=RATE, matrix_rate=MATRIX_RATE,
    )  # fmt: skip


def _row(tokenizer: Tokenizer, told: Told, level: int) -> Row:
    (question, answer), *rest = told.turns
    return conversation_row(
        tokenizer,
        VQA,
        [(f"{IMAGE_PLACEHOLDER}\n{question}", answer), *rest],
        image=Visual(0, long=True),
        sizes=VisualSizes(long=told.tiling.count(level)),
    )


def _word(tokenizer: Tokenizer, label: str) -> int:
    """The piece that says a label; of `white badge` the color."""
    return tokenizer.encode(label.split()[0], bos=False)[-1]
