"""Which samples each process reads in each micro-batch: a pure function of the step.

Step s takes the samples [s * G, (s + 1) * G) of the stream, whatever the number of processes. They
are dealt to G / micro_batch_size bins of about equally many tokens, and the bins go round the
processes, those of like size in one round: nobody waits for a process that has more to do.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from seal.training.config import TrainConfig, derive_accumulation

Bins = list[list[int]]


def deal(lengths: Sequence[int], bins: int) -> Bins:
    """Places in `lengths`, in `bins` groups of about equal sums; the largest group first.

    The longest that is left goes to the group with the least (Graham 1969: at most 4/3 of the best
    largest sum). Ties go to the earlier, so that everybody comes to the same result.

    Raises:
        ValueError: there are fewer samples than groups.
    """
    if not 1 <= bins <= len(lengths):
        raise ValueError(f"{len(lengths)} samples cannot be dealt to {bins} micro-batches")
    longest_first = sorted(range(len(lengths)), key=lambda place: (-lengths[place], place))
    heap = [(0, number) for number in range(bins)]
    groups: Bins = [[] for _ in range(bins)]
    for place in longest_first:
        total, number = heapq.heappop(heap)
        groups[number].append(place)
        # A sample takes a place even if it has no length: every group gets one.
        heapq.heappush(heap, (total + max(lengths[place], 1), number))
    sums = [sum(lengths[place] for place in group) for group in groups]
    by_sum = sorted(range(bins), key=lambda number: (-sums[number], number))
    return [sorted(groups[number]) for number in by_sum]


def cut(count: int, bins: int) -> Bins:
    """The same without lengths: neighbors of the stream, equally many in each."""
    size = count // bins
    return [list(range(size * number, size * (number + 1))) for number in range(bins)]


class Measured(Protocol):
    """A stream whose samples have lengths."""

    def length(self, index: int) -> int: ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What is read at each step, for every number of processes."""

    global_batch_size: int
    micro_batch_size: int  # samples of a micro-batch on average; as many as that if not balanced
    length: Callable[[int], int] | None = None  # of a sample of the stream; None: not balanced

    @classmethod
    def of(cls, train: TrainConfig, samples: Measured) -> Plan:
        """Of a run on a stream of samples."""
        length = samples.length if train.dealing == "balanced" else None
        return cls(train.global_batch_size, train.micro_batch_size, length)

    def accumulation(self, world_size: int) -> int:
        """Micro-batches of each process in a step."""
        return derive_accumulation(self.global_batch_size, self.micro_batch_size, world_size)

    def bins(self, step: int) -> Bins:
        """The stream's indices in each micro-batch of a step, all processes together."""
        first = step * self.global_batch_size
        bins = self.global_batch_size // self.micro_batch_size
        if self.length is None:
            places = cut(self.global_batch_size, bins)
        else:
            lengths = [self.length(first + place) for place in range(self.global_batch_size)]
            places = deal(lengths, bins)
        return [[first + place for place in group] for group in places]

    def micro_batches(self, step: int, rank: int, world_size: int) -> Bins:
        """Those of one process, in order: bin j is round j // W of process j % W."""
        self.accumulation(world_size)  # refuses numbers that do not divide
        return self.bins(step)[rank::world_size]


def useful_share(loads: Sequence[int], world_size: int) -> float:
    """Work done over (processes x the slowest one), when everybody waits after each round.

    loads: of the bins of a step, in their order.
    """
    rounds = [loads[start : start + world_size] for start in range(0, len(loads), world_size)]
    return sum(loads) / sum(world_size * max(round_) for round_ in rounds)
