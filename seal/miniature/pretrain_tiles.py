"""Show the miniature's tower the tiles of scenes from near and afar.

It was raised on views of large scenes, in which the badges of things that are no close-ups are
lost. Here it learns from every patch what lies in its cell, as it did there, at the sizes that
pictures cut into tiles have.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seal.images import normalize_bytes
from seal.images.tiles import TilesConfig, cut_into_tiles
from seal.miniature.distances import TILE, draw_scene
from seal.miniature.pretrain_sight import SIDE, tell
from seal.miniature.pretrain_vision import LABELS, cell_loss
from seal.miniature.pretraining import pretrain
from seal.models.parts.vision import VisionTower

RATE, MATRIX_RATE = 2e-3, 2e-2  # peaks
SCENES = 16  # drawn at once: their tiles are mixed


def tiles(seed: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """An endless stream of tiles, (3, TILE, TILE), and of their cells, (SIDE, SIDE, labels)."""
    rng = np.random.default_rng(seed)
    config, index = TilesConfig(), 0
    while True:
        chunk = []
        for _ in range(SCENES):
            _, scene = draw_scene(seed, index)
            pixels, _ = cut_into_tiles(scene.render(), TILE, config)
            cells = tell(seed, index).cells.reshape(-1, SIDE, SIDE, len(LABELS))
            chunk += list(zip(pixels, cells, strict=True))
            index += 1
        for place in rng.permutation(len(chunk)):
            yield chunk[place]


def pretrain_tiles(tower: VisionTower, *, seed: int, num_steps: int, batch_size: int = 32) -> None:
    """Train `tower` in place."""
    torch.manual_seed(seed)
    head = nn.Linear(tower.config.hidden_size, len(LABELS))
    stream = tiles(seed)

    def losses(step: int) -> dict[str, Tensor]:
        batch = [next(stream) for _ in range(batch_size)]
        pixels = np.stack([normalize_bytes(tile) for tile, _ in batch])
        features = tower(torch.from_numpy(pixels)).unflatten(1, (SIDE, SIDE))
        cells = torch.from_numpy(np.stack([cells for _, cells in batch]))
        return {"cells": cell_loss(head(features), cells)}

    trained = nn.ModuleList([tower, head])
    pretrain(
        "tiles", trained.named_parameters(), losses,
        num_steps=num_steps, rate=RATE, matrix_rate=MATRIX_RATE,
    )  # fmt: skip
