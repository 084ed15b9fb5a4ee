"""Gradients of the next token down to the pixels, the blocks on the way recomputed, not kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

from seal.inference.answers.protocol import Cost
from seal.inference.vicrop.prompt_source import PixelPass, likeliest
from seal.inference.vicrop.reader import Look, PixelFactors


class PixelSource(Protocol):
    """What can be put a question with a graph down to the pixels."""

    @property
    def model(self) -> nn.Module: ...

    @property
    def cost(self) -> Cost: ...

    def pixel_pass(self, image: Image, question: str) -> PixelPass: ...


def counted_pixels(
    source: PixelSource, looks: Sequence[Look], general: str
) -> tuple[list[PixelFactors], list[Cost]]:
    """`pixel_factors` of each look, and what each cost."""
    found, costs = [], []
    for look in looks:
        before = replace(source.cost)
        found.append(pixel_factors(source, look, general))
        costs.append(source.cost - before)
    return found, costs


def pixel_factors(source: PixelSource, look: Look, general: str) -> PixelFactors:
    """Both gradients of one look, one after the other: one graph is held at a time."""
    asked, shown = _gradient(source, look.image, look.question)
    of_general, _ = _gradient(source, look.image, general)
    return PixelFactors(asked, of_general, shown.patch, shown.view)


def _gradient(source: PixelSource, image: Image, question: str) -> tuple[np.ndarray, PixelPass]:
    """(height, width): L2 over the channels of the picture's gradient."""
    with torch.enable_grad(), recomputed(source.model):
        shown = source.pixel_pass(image, question)
        (gradient,) = torch.autograd.grad(likeliest(shown.logits), shown.pixels)
    picture: Tensor = shown.picture(gradient.float())
    return picture.norm(dim=0).cpu().numpy(), shown


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """Inside this, backward passes included, no weight has a gradient."""
    trained = [p for p in model.parameters() if p.requires_grad]
    try:
        for parameter in trained:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


@contextmanager
def recomputed(model: nn.Module) -> Iterator[None]:
    """Inside this, backward passes included, blocks keep their input only, weights no gradient.

    transformers recomputes while training alone; here dropout must stay off.
    """
    blocks = [m for m in model.modules() if isinstance(m, GradientCheckpointingLayer)]
    before = [vars(block).get("forward") for block in blocks]  # a hook of device_map, if any
    with frozen(model):
        try:
            for block in blocks:
                block.forward = _checkpointed(block.forward)
            yield
        finally:
            for block, forward in zip(blocks, before, strict=True):
                del block.forward
                if forward is not None:
                    block.forward = forward


def _checkpointed(forward: Any) -> Any:
    def run(*args: Any, **kwargs: Any) -> Any:
        return checkpoint(forward, *args, use_reentrant=False, **kwargs)

    return run
