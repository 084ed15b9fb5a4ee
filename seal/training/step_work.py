"""How much of a step was work: the share of padding, and how unevenly it fell on the ranks."""

from __future__ import annotations

from collections.abc import Sequence

from seal.batch import Batch
from seal.training.distributed import World


class StepWork:
    """Tokens and positions of this process in each step since the last log line."""

    def __init__(self) -> None:
        self._tokens: list[float] = []
        self._positions = 0.0

    @property
    def tokens(self) -> float:
        """Of this process since the last log line."""
        return sum(self._tokens)

    def add(self, batches: Sequence[Batch]) -> None:
        """The micro-batches of one step, on the host."""
        self._tokens.append(float(sum(int(batch.attention_mask.sum()) for batch in batches)))
        self._positions += sum(batch.attention_mask.numel() for batch in batches)

    def summary(self, world: World) -> dict[str, float]:
        """A collective call; every process has added the same number of steps.

        `padding`: the share of the positions that hold no token. `imbalance`: tokens of the process
        that has most, divided by the mean over the processes, as a mean over the steps; 1 is even.
        """
        steps = len(self._tokens)
        table = [0.0] * (world.size * steps)  # each process fills in its own part
        table[world.rank * steps : (world.rank + 1) * steps] = self._tokens
        positions, *table = world.sum([self._positions, *table])
        self._tokens, self._positions = [], 0.0
        of_steps = [table[step::steps] for step in range(steps)]  # (steps, processes)
        shares = [max(tokens) * len(tokens) / (sum(tokens) or 1.0) for tokens in of_steps]
        return {"padding": 1 - sum(table) / positions, "imbalance": sum(shares) / steps}
