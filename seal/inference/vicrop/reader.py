"""What ViCrop asks of an answer model that can be read, however the model is built."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL.Image import Image

from seal.geometry import Box
from seal.inference.answers.protocol import Cost
from seal.inference.vicrop.default_layers import FamilyDefaults

GENERAL_QUESTION = "Write a general description of the image."


@dataclass(frozen=True, slots=True)
class Look:
    """Where in the image does the model look to answer the question?"""

    image: Image
    question: str


@dataclass(frozen=True, slots=True)
class RelativeFactors:
    """Attention to the image for the question and for the general question, mean over heads."""

    question: np.ndarray  # (rows, columns) float32
    general: np.ndarray  # the same shape
    view: Box  # what the grid lies over, in image pixels; over the border where that was padded


@dataclass(frozen=True, slots=True)
class GradientFactors:
    """Attention weighed by what it does for the likeliest next token, mean over heads."""

    weighted: np.ndarray  # (rows, columns) float32, >= 0
    view: Box


@dataclass(frozen=True, slots=True)
class PixelFactors:
    """L2 over channels of the gradient of the likeliest next token's log-probability."""

    question: np.ndarray  # (height, width) float32 of the picture as the tower was given it
    general: np.ndarray  # the same for the general question
    patch: int  # pixels of that picture along a side of the tower's patch
    view: Box  # what the picture shows, in image pixels


class AttentionReader(Protocol):
    """A model whose attention to an image can be read. Lists in, lists out, in order.

    `layer` counts the language model's blocks from 0.
    """

    # What each look of the last call would have cost alone: several at one image read it together.
    costs: list[Cost]

    @property
    def num_layers(self) -> int:
        """Blocks of the language model."""
        ...

    @property
    def layer(self) -> int:
        """The block that is read unless the user names one."""
        ...

    @property
    def defaults(self) -> FamilyDefaults:
        """The smallest window, the floor of the general map and the like."""
        ...

    def relative(self, looks: Sequence[Look], *, layer: int) -> list[RelativeFactors]:
        """For rel-att: two short questions behind one reading of the image."""
        ...

    def gradients(self, looks: Sequence[Look], *, layer: int) -> list[GradientFactors]:
        """For grad-att: one forward and a backward pass through the last token alone."""
        ...

    def pixels(self, looks: Sequence[Look]) -> list[PixelFactors]:
        """For pure-grad: two forward and backward passes down to the pixels."""
        ...

    def layer_maps(self, image: Image, question: str) -> list[RelativeFactors]:
        """What `relative` gives of every block, from one reading: for a calibration."""
        ...
