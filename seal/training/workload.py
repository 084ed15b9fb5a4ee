"""How much a sample is: of the data at hand, or of the paper's mixtures where there is none."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from seal.batch import Batch, Sample
from seal.training.activations import Load
from seal.training.config import TrainConfig

LOOKED_AT = 64  # samples of the data at hand, evenly spaced
# The largest micro-batch that is dealt by tokens, beside the mean one.
_UNEVEN = 1.15
_SQUARES = 1.1  # mean square of a length over the square of the mean, of the VQA mixture


@dataclass(frozen=True, slots=True)
class Workload:
    """Samples of a mixture."""

    mean: Load  # of one sample
    longest: float  # positions of one sample
    records: int | None  # read in an epoch; None: the mixture has no size
    source: str  # where these numbers are from

    @property
    def squares(self) -> float:
        """Mean over samples of the squares of their documents' lengths, about."""
        return _SQUARES * self.mean.positions**2

    def with_tokens(self, long: int, short: int) -> Workload:
        """The same samples in a model whose projectors make other numbers of tokens of an image.

        To be asked of `PAPER`, which is of the published numbers.
        """
        mean = self.mean
        more_long, more_short = long - _LONG, short - _SHORT
        # The longest sample shows an image and a crop through the linear projector.
        most = min(2, math.ceil(mean.images)) if mean.long else 0
        positions = mean.positions + mean.long * more_long + mean.short * more_short
        return replace(
            self, mean=replace(mean, positions=positions), longest=self.longest + most * more_long
        )

    def micro_batch(self, size: int) -> Load:
        """The largest one of `size` samples on average."""
        mean = self.mean
        positions = max(_UNEVEN * size * mean.positions, self.longest)
        times = positions / mean.positions
        return Load(
            positions=positions,
            supervised=times * mean.supervised,
            images=times * mean.images,
            long=times * mean.long,
            short=times * mean.short,
            detections=size * mean.detections,
            expressions=times * mean.expressions,
        )

    def steps(self, train: TrainConfig) -> int | None:
        """Optimizer steps of the run; None: they depend on a size that is not known."""
        if train.num_steps is None and self.records is None:
            return None
        return train.steps(self.records or 0)


_LONG, _SHORT = 256, 32
# Means over training.md's length distribution (log-normal texts); visual tokens are 256 through the
# linear projector and 32 through the resampler. Numbers of records are the paper's, the spatial
# relations twice.
PAPER = {
    "instruct": Workload(
        Load(positions=462, supervised=80, images=2.1, long=1.0, short=1.1),
        longest=2304, records=433_000, source="the paper's 387 K records, spatial ones twice",
    ),
    "align_linear": Workload(
        Load(positions=281, supervised=25, images=1, long=1),
        longest=512, records=558_000, source="the paper's 558 K captions",
    ),
    "align_resampler": Workload(
        Load(positions=57, supervised=25, images=1, short=1),
        longest=288, records=558_000, source="the paper's 558 K captions",
    ),
    # An image's expressions stand behind one prefix; 23 of 38 samples are of expressions.
    "vsm": Workload(
        Load(positions=380, supervised=50, images=1, long=1, detections=0.6, expressions=1.7),
        longest=512, records=None, source="the paper's mixture",
    ),
}  # fmt: skip


def workload_of(
    samples: Any, collate: Callable[[Sequence[Sample]], Batch], micro_batch_size: int
) -> Workload:
    """Of records at hand, from some of them."""
    count = min(LOOKED_AT, len(samples))
    chosen = [samples[index * len(samples) // count] for index in range(count)]
    longest = max(Load.of(collate([sample])).positions for sample in chosen)
    loads = [
        Load.of(collate(chosen[begin : begin + micro_batch_size]))
        for begin in range(0, count, micro_batch_size)
    ]

    def mean(name: str) -> float:
        return float(sum(getattr(load, name) for load in loads)) / count

    return Workload(
        Load(**{name: mean(name) for name in Load.__slots__}),
        longest=longest,
        records=len(samples),
        source=f"{len(samples):,} records an epoch",
    )
