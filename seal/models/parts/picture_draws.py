"""Random numbers drawn picture by picture, so that what else is in a batch changes none of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


class PictureDraws:
    """Runs what draws for one picture after the other, each from a generator of its own.

    What is run second goes on where the first has left that generator.
    """

    def __init__(self, counts: Sequence[int], keys: Sequence[int] | None) -> None:
        """`counts` tiles of each picture, and `keys` its generator begins with; None: the common
        generator is drawn from."""
        self.counts, self.keys = list(counts), keys
        self._states: dict[int, Tensor] = {}  # of a picture's generator, where it has got to

    def each(self, run: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
        """`run` on the tiles of each picture: (T, ...) -> (T, ...)."""
        parts = []
        for picture, own in enumerate(zip(*(t.split(self.counts) for t in tensors), strict=True)):
            if self.keys is None:
                parts.append(run(*own))
                continue
            device = own[0].device
            of_device = torch.cuda if device.type == "cuda" else torch.random
            with torch.random.fork_rng([device] if device.type == "cuda" else []):
                if picture in self._states:
                    of_device.set_rng_state(self._states[picture])
                else:
                    torch.manual_seed(self.keys[picture])
                parts.append(run(*own))
                self._states[picture] = of_device.get_rng_state()
        return torch.cat(parts)
