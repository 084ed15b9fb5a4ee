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
    # Mean over samples of the squares of their documents' lengths; None: about that of one row.
    counted_squares: float | None = None
    tokens: tuple[int, int] = (256, 32)  # of an image through each projector, in these numbers

    @property
    def squares(self) -> float:
        """Mean over samples of the squares of their documents' lengths, about."""
        if self.counted_squares is not None:
            return self.counted_squares
        return _SQUARES * self.mean.positions**2

    def with_tokens(self, long: int, short: int) -> Workload:
        """The same samples in a model whose projectors make other numbers of tokens of an image.

        To be asked of `PAPER`, which is of the published numbers.
        """
        mean = self.mean
        more_long, more_short = long - self.tokens[0], short - self.tokens[1]
        # The longest sample shows an image and a crop through the linear projector.
        most = min(2, math.ceil(mean.images)) if mean.long else 0
        positions = mean.positions + mean.long * more_long + mean.short * more_short
        return replace(
            self, mean=replace(mean, positions=positions), longest=self.longest + most * more_long
        )

    def at_levels(self, levels: Sequence[int], *, router: bool, kept: bool = False) -> Workload:
        """The same records as training at levels reads them: a row a level, or those by which each
        picture's levels are compared while the others are at the finest (seal.data.levels).

        kept: beside them a row as the records were (`ChatConfig.kept_policy`).
        """
        mean, pictures, finest = self.mean, self.mean.images, levels[-1]
        text = mean.positions - mean.long * self.tokens[0] - mean.short * self.tokens[1]
        rows, visual = float(len(levels)), pictures * sum(levels)
        if router:
            rows = 1 + pictures * (len(levels) - 1)
            visual = pictures * (rows * finest + sum(levels[:-1]) - (len(levels) - 1) * finest)
        of_levels, more = rows * text + visual, float(kept)
        positions = of_levels + more * mean.positions
        return Workload(
            replace(
                mean, positions=positions, supervised=(rows + more) * mean.supervised,
                long=pictures, short=more * mean.short, routed=pictures if router else 0.0,
            ),
            longest=self.longest * positions / mean.positions,
            records=self.records,
            source=f"{self.source}, at {len(levels)} levels",
            counted_squares=_SQUARES * of_levels**2 / rows + more * self.squares,
            tokens=(finest, 0),
        )  # fmt: skip

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
            routed=times * mean.routed,
        )

    def steps(self, train: TrainConfig) -> int | None:
        """Optimizer steps of the run; None: they depend on a size that is not known."""
        if train.num_steps is None and self.records is None:
            return None
        return train.steps(self.records or 0)


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
    # A picture of 4 : 3 in five tiles is 2340 tokens, and 4581 over its five levels; texts of 250
    # tokens stand behind it. The longest is 2928 and 5724, with texts that fill 4096 positions.
    "granularity": Workload(
        Load(positions=5700, supervised=600, images=4.8, long=4.8),
        longest=11_600, records=1_000_000, source="AVG-LLaVA's mixture of 1 M records",
        counted_squares=11e6, tokens=(576, 0),
    ),
    "router": Workload(
        Load(positions=5700, supervised=600, images=4.8, long=4.8, routed=4.8),
        longest=11_600, records=1_000_000, source="AVG-LLaVA's mixture of 1 M records",
        counted_squares=11e6, tokens=(576, 0),
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

    squares = None
    if any(len(sample.rows) > 1 and sample.detector_image is None for sample in chosen):
        batches = [collate([sample]) for sample in chosen]
        squares = sum(_squares(batch) for batch in batches) / count
    return Workload(
        Load(**{name: mean(name) for name in Load.__slots__}),
        longest=longest,
        records=len(samples),
        source=f"{len(samples):,} records an epoch",
        counted_squares=squares,
    )


def _squares(batch: Batch) -> float:
    if batch.documents:
        return sum(document.squares for document in batch.documents)
    return float((batch.attention_mask.sum(1).double() ** 2).sum())
