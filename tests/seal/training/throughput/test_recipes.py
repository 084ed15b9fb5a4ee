"""Recipes differ in how they compute, not in what."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from seal.data.collate import collate
from seal.losses.vqa import VQALoss
from seal.models.files.random_weights import random_model
from seal.models.presets import vqa_preset
from seal.training.config import TrainConfig
from seal.training.throughput.lengths import VQA_KINDS
from seal.training.throughput.recipes import RECIPES
from seal.training.throughput.samples import Shown, synthetic_mixture


def test_the_original_takes_its_own_micro_batch_and_padding() -> None:
    train = TrainConfig(num_steps=1, global_batch_size=32, micro_batch_size=8)
    original = RECIPES["original"].train(train, 16)
    assert (original.micro_batch_size, original.batching, original.dealing) == (
        16, "padded", "stream",
    )  # fmt: skip
    assert RECIPES["ours"].train(train, 16) == train


def test_every_recipe_has_the_same_loss_on_the_same_samples() -> None:
    sizes = vqa_preset("miniature")
    samples = [synthetic_mixture(VQA_KINDS, Shown.by(sizes), 0)[index] for index in range(3)]
    losses = {}
    for name, recipe in RECIPES.items():
        model = random_model(sizes, dtype=torch.float32)
        recipe.prepare(model)
        packed = recipe.train(TrainConfig(num_steps=1), 1).batching == "packed"
        batch = partial(collate, pad_id=0, pack=packed)(samples)
        with torch.no_grad():
            losses[name] = float(VQALoss()(batch, model(batch))["ce"])
    assert losses == {name: pytest.approx(losses["ours"], rel=1e-5) for name in RECIPES}
