"""A data set as the mixture sees it."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from seal.batch import Sample


class Source(Protocol):
    """Samples by index, with what is random in them drawn by the caller's generator."""

    def __len__(self) -> int: ...

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        """The item; whatever is drawn for it comes from `rng`."""
        ...

    def length(self, index: int, rng: np.random.Generator) -> int:
        """Positions it takes in a packed row, found without opening an image.

        `rng` is in the state in which `sample` would be given it.
        """
        ...
