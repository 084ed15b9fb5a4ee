"""A picture told in words says of each patch what the scene has there, at any level."""

from __future__ import annotations

import numpy as np
import pytest

from seal.miniature.base_models import ASSETS
from seal.miniature.distances import TILE, draw_scene
from seal.miniature.pretrain_sight import LEVELS, SIDE, pretrain_sight, tell
from seal.miniature.pretrain_vision import LABELS
from seal.miniature.world import badge_box
from seal.models.files.load import load_model
from seal.text.tokenize import load_tokenizer


def test_the_patch_under_a_badge_says_its_color_and_what_it_is_on():
    patch = TILE // SIDE
    for index in range(12):
        _, scene = draw_scene(9, index)
        told = tell(9, index)
        assert told.cells.shape == (told.tiling.num_tiles, SIDE * SIDE, len(LABELS))
        for thing in scene.objects:
            box = badge_box(thing)
            x, y = (int(low + high) // 2 for low, high in ((box.x0, box.x1), (box.y0, box.y1)))
            tile = 1 + y // TILE * told.tiling.columns + x // TILE
            cell = told.cells[tile, y % TILE // patch * SIDE + x % TILE // patch]
            for label in (str(thing.kind), thing.color, f"{thing.badge} badge"):
                assert cell[LABELS.index(label)] > 0.2, (index, label)


def test_the_regions_of_every_patch_make_it_whole():
    told = tell(9, 3)
    assert told.cells[..., :7].sum(-1) == pytest.approx(np.ones(told.cells.shape[:2]), abs=1e-5)


def test_a_step_trains_the_language_model_and_nothing_is_drawn_from_outside_its_seed():
    tokenizer, states = load_tokenizer(ASSETS / "vqa_base"), []
    for _ in range(2):
        model = load_model(ASSETS / "vqa_base").llm
        before = model.lm_head.weight.clone()
        pretrain_sight(model, tokenizer, seed=5, num_steps=1, batch_size=2)
        states.append(model.lm_head.weight)
    assert (states[0] == states[1]).all() and not (states[0] == before).all()
    assert LEVELS == (4, 8, 16, 32, 64)
