"""The cross-entropy of each source of a mixture, added up on the device and asked for at the end.

A mean over a step hides which source it comes from: one can rise while all others fall. What it
takes is the loss of each label, which the criterion has anyway, and the conversation and source of
each label, which the host knows before the forward pass. So nothing waits for the device until the
log line, which has to wait for the losses as well.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from seal.training.distributed import World


class SourceLosses:
    """Sums of the cross-entropy over the labels of each source since the last log line.

    Args:
        names: of the sources, the same in every process; labels of others are left out.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self._index = {name: place for place, name in enumerate(self.names)}
        self._reset()

    def _reset(self) -> None:
        self._sums: Tensor | None = None  # (S + 1,) on the device; the last: of no source
        self._counts = torch.zeros(len(self.names) + 1, dtype=torch.int64)

    def add(self, losses: Tensor, label_rows: Tensor, sources: Sequence[str]) -> None:
        """One micro-batch.

        Args:
            losses: (T,) cross-entropy of each label, on the device.
            label_rows: (T,) int64 on the host: the conversation each label is of.
            sources: (R,) the source of each conversation.
        """
        other = len(self.names)
        of_row = torch.tensor([self._index.get(name, other) for name in sources])
        places = of_row[label_rows]  # (T,)
        self._counts += torch.bincount(places, minlength=other + 1)
        if self._sums is None:
            self._sums = torch.zeros(other + 1, device=losses.device)
        self._sums.index_add_(
            0, places.to(losses.device, non_blocking=True), losses.detach().float()
        )

    def summary(self, world: World, part: str = "ce") -> dict[str, float]:
        """`loss/ce/SOURCE`: means over the labels and the processes; a collective call.

        A source of which nothing was read is left out.
        """
        if not self.names:
            return {}
        sums = [0.0] * len(self._counts) if self._sums is None else self._sums.tolist()
        added = world.mean([*sums[:-1], *map(float, self._counts[:-1].tolist())])
        totals, counts = added[: len(self.names)], added[len(self.names) :]
        self._reset()
        return {
            f"loss/{part}/{name}": total / count
            for name, total, count in zip(self.names, totals, counts, strict=True)
            if count
        }
