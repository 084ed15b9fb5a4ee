"""Where the keys and values of many beginnings lie: slots in blocks, handed out and taken back.

All beginnings have one length. They are written where the pass that reads them is told, and read
in place by whatever continues them (`seal.models.parts.prefix_attention`).
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from seal.models.parts.prefix_attention import Run


@dataclass(frozen=True, slots=True)
class PrefixShape:
    """Sizes of what one beginning keeps."""

    layers: int
    heads: int  # that have keys and values
    length: int  # positions
    head_width: int
    dtype: torch.dtype

    @property
    def num_bytes(self) -> int:
        """Of one beginning, keys and values."""
        return 2 * self.layers * self.heads * self.length * self.head_width * self.dtype.itemsize


class PrefixPool:
    """At most `capacity` slots; memory is taken a block at a time, when it is first needed."""

    def __init__(
        self, shape: PrefixShape, device: torch.device, *, capacity: int, block: int
    ) -> None:
        """`block`: slots of one block; neighbours in it can be read as one."""
        self.shape, self.device = shape, device
        self.capacity, self.block = capacity, min(block, capacity)
        self._blocks: list[tuple[Tensor, Tensor]] = []
        self._free: list[int] = []  # sorted

    @property
    def num_bytes(self) -> int:
        """Memory held on the device, whether in use or not."""
        return sum(keys.nbytes + values.nbytes for keys, values in self._blocks)

    @property
    def num_used(self) -> int:
        """Slots that are handed out."""
        return sum(keys.shape[1] for keys, _ in self._blocks) - len(self._free)

    @property
    def num_left(self) -> int:
        """Slots that can still be handed out."""
        return self.capacity - self.num_used

    def take(self, count: int) -> list[int]:
        """`count` slots, neighbours where there are such.

        Raises:
            ValueError: more than `num_left`.
        """
        if count > self.num_left:
            raise ValueError(f"{count} slots of {self.capacity}, of which {self.num_left} are left")
        while len(self._free) < count:
            self._add_block()
        start = next(
            (i for i in range(len(self._free) - count + 1) if self._neighbours(i, count)), 0
        )
        taken = self._free[start : start + count]
        del self._free[start : start + count]
        return taken

    def give_back(self, slot: int) -> None:
        """A slot that nobody reads any more."""
        bisect.insort(self._free, slot)

    def give_memory_back(self) -> None:
        """Let go of the last blocks, as far as none of their slots is in use."""
        while self._blocks:
            first = (len(self._blocks) - 1) * self.block
            size = self._blocks[-1][0].shape[1]
            if self._free[-size:] != list(range(first, first + size)):
                return
            del self._free[-size:], self._blocks[-1]

    def runs(self, slots: Sequence[int]) -> list[Run]:
        """The slots that rows stand behind, in the rows' order, as few views of the memory.

        slots: sorted; one may come several times.
        """
        counted = [(slot, len(list(same))) for slot, same in groupby(slots)]
        runs: list[Run] = []
        row = first = 0
        for i, (slot, repeat) in enumerate(counted):
            last = i + 1 == len(counted) or not (
                counted[i + 1] == (slot + 1, repeat) and (slot + 1) % self.block
            )
            if last:
                keys, values = self._blocks[slot // self.block]
                place = slice(counted[first][0] % self.block, slot % self.block + 1)
                rows = slice(row, row + (i + 1 - first) * repeat)
                runs.append(Run(rows, repeat, keys[:, place], values[:, place]))
                row, first = rows.stop, i + 1
        return runs

    def _neighbours(self, start: int, count: int) -> bool:
        first, last = self._free[start], self._free[start + count - 1]
        return last - first == count - 1 and first // self.block == last // self.block

    def _add_block(self) -> None:
        taken = len(self._blocks) * self.block
        size = min(self.block, self.capacity - taken)
        shape = self.shape
        made = (shape.layers, size, shape.heads, shape.length, shape.head_width)
        keys, values = (torch.empty(made, dtype=shape.dtype, device=self.device) for _ in range(2))
        self._blocks.append((keys, values))
        self._free += range(taken, taken + size)
