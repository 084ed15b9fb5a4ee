"""Set records of a source apart: some for validation, which training then never draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seal.batch import Sample
from seal.data.source import Source

SEED = 0  # not the run's: whatever its seed, a run is compared with others on the same records


@dataclass(frozen=True, slots=True)
class Part:
    """The items of a source that are listed, in that order."""

    source: Source
    items: NDArray[np.int64]  # indices into `source`

    def __len__(self) -> int:
        return len(self.items)

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        """The item; whatever is drawn for it comes from `rng`."""
        return self.source.sample(int(self.items[index]), rng)

    def length(self, index: int, rng: np.random.Generator) -> int:
        """Positions it takes in a packed row."""
        return self.source.length(int(self.items[index]), rng)


def hold_out(source: Source, count: int, name: str, *, seed: int = SEED) -> tuple[Source, Part]:
    """What is left to train on, and `count` items drawn by seed: no item is in both.

    The items depend on the seed, `count` and the number of items alone. They are records, not
    pictures: another record of the same picture may be trained on.

    Raises:
        ValueError: less than half of the source would be left; names it.
    """
    size = len(source)
    if not 0 <= 2 * count <= size:
        raise ValueError(
            f"held_out={count}: source {name!r} has {size} records; hold out at most {size // 2} "
            "of each source, or name record sets for the validation and set held_out=0"
        )
    drawn = np.random.default_rng((6, seed)).permutation(size)
    held, rest = np.sort(drawn[:count]), np.sort(drawn[count:])
    return (Part(source, rest) if count else source), Part(source, held)
