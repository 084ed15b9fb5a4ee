"""Mix sources into one endless stream whose item depends on (seed, index) alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seal.batch import Sample
from seal.data.held_out import hold_out
from seal.data.record_set import RecordSet
from seal.data.source import Source

SAMPLING = ("epoch", "weighted")


@dataclass(kw_only=True, slots=True)
class SourceConfig:
    """One record set of a mixture."""

    folder: str  # of the record set, below the data root
    image_root: str | None = None  # where its images lie; None: where its set.json says
    group: str = ""  # of `MixtureConfig.groups`
    weight: float = 1.0  # sampling=weighted: share among the sources of its group
    repeat: int = 1  # sampling=epoch: times each record is read in an epoch

    def __post_init__(self) -> None:
        if self.weight < 0 or self.repeat < 0:
            raise ValueError(
                f"{self.folder}: weight={self.weight} and repeat={self.repeat} must be >= 0"
            )


@dataclass(kw_only=True, slots=True)
class MixtureConfig:
    """What is mixed and how."""

    sources: dict[str, SourceConfig] = field(default_factory=dict)  # name -> record set
    # epoch: every record `repeat` times, in a new order each epoch; weighted: a source is drawn by
    # weight, then a record of it, so that shares hold and an epoch means nothing.
    sampling: str = "epoch"
    groups: dict[str, float] = field(default_factory=dict)  # sampling=weighted: group -> weight
    held_out: int = 0  # records of each source that are never drawn, but kept for the validation

    def __post_init__(self) -> None:
        if self.sampling not in SAMPLING:
            raise ValueError(f"sampling={self.sampling!r} is none of {', '.join(SAMPLING)}")
        if not self.sources:
            raise ValueError("a mixture needs at least one source")
        if self.held_out < 0:
            raise ValueError(f"held_out={self.held_out} must not be negative")
        for name, source in self.sources.items():
            if source.group not in self.groups and (source.group or self.groups):
                raise ValueError(
                    f"source {name!r} is in group {source.group!r}, groups are "
                    f"{sorted(self.groups)}"
                )
        if unused := sorted(set(self.groups) - {s.group for s in self.sources.values()}):
            raise ValueError(f"groups {unused} have no source")

    def build(self, make: Callable[[RecordSet], Source], *, root: str | Path, seed: int) -> Mixture:
        """Open every record set below `root` and wrap it with `make`."""
        return Mixture(
            [train for train, _ in self._opened(make, root)],
            repeats=[source.repeat for source in self.sources.values()],
            shares=self.shares() if self.sampling == "weighted" else None,
            seed=seed,
            names=list(self.sources),
        )

    def build_held_out(
        self, make: Callable[[RecordSet], Source], *, root: str | Path, seed: int
    ) -> Mixture | None:
        """What `build` leaves out, each record once; None: nothing."""
        if not self.held_out:
            return None
        held = [held for _, held in self._opened(make, root)]
        return Mixture(held, seed=seed, names=list(self.sources))

    def _opened(
        self, make: Callable[[RecordSet], Source], root: str | Path
    ) -> list[tuple[Source, Source]]:
        """Of each source what is drawn, and what is held out."""
        return [
            hold_out(
                make(RecordSet.open(Path(root) / source.folder, source.image_root)),
                self.held_out,
                name,
            )
            for name, source in self.sources.items()
        ]

    def shares(self) -> list[float]:
        """How often each source is drawn, adding up to 1."""
        inside = dict.fromkeys(self.groups, 0.0) or {"": 0.0}
        for source in self.sources.values():
            inside[source.group] += source.weight
        total = sum(self.groups.values()) or 1.0
        if not all(inside.values()):
            raise ValueError(f"the weights inside a group must not all be 0: {inside}")
        return [
            self.groups.get(source.group, 1.0) / total * source.weight / inside[source.group]
            for source in self.sources.values()
        ]


class Mixture:
    """Item `index`, counted on through all epochs, depends on (seed, index) alone."""

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        repeats: Sequence[int] | None = None,
        shares: Sequence[float] | None = None,
        seed: int = 0,
        names: Sequence[str] | None = None,
    ) -> None:
        """`shares` given: sources are drawn by them; None: epochs over `repeats` of each source.

        `names` of the sources are what `Sample.source` says.
        """
        self.sources = list(sources)
        self.names = [""] * len(self.sources) if names is None else list(names)
        self.seed = seed
        self._shares = None if shares is None else np.asarray(shares, dtype=np.float64)
        counts = [1] * len(self.sources) if repeats is None else list(repeats)
        sizes = [len(s) * n for s, n in zip(self.sources, counts, strict=True)]
        self._starts = np.cumsum([0, *sizes])
        drawn = sizes if shares is None else [len(s) for s in self.sources]
        if not sum(drawn) or (shares is not None and not all(drawn)):
            raise ValueError(f"a mixture needs records in its sources, got {drawn} of each")
        self._order = lru_cache(maxsize=2)(self._epoch_order)

    def __len__(self) -> int:
        """Records in an epoch, repeats included."""
        return int(self._starts[-1])

    def __getitem__(self, index: int) -> Sample:
        source, item, rng = self._drawn(index)
        return replace(self.sources[source].sample(item, rng), source=self.names[source])

    def length(self, index: int) -> int:
        """Positions item `index` takes in a packed row, found without opening an image."""
        source, item, rng = self._drawn(index)
        return self.sources[source].length(item, rng)

    def _drawn(self, index: int) -> tuple[int, int, np.random.Generator]:
        if index < 0:
            raise IndexError(f"no item {index}: the stream starts at 0")
        source, item = self.locate(index)
        # Not the stream that drew the source: what is drawn inside it must not depend on that.
        return source, item, np.random.default_rng((2, self.seed, index))

    def __getstate__(self) -> dict[str, object]:
        # A cache cannot be sent to a loader's workers, and need not be.
        state = dict(self.__dict__)
        del state["_order"]
        return state

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._order = lru_cache(maxsize=2)(self._epoch_order)

    def locate(self, index: int) -> tuple[int, int]:
        """Which source and which of its items stand at `index`."""
        if self._shares is not None:
            rng = np.random.default_rng((self.seed, index))
            source = int(rng.choice(len(self.sources), p=self._shares))
            return source, int(rng.integers(len(self.sources[source])))
        epoch, place = divmod(index, len(self))
        number = int(self._order(epoch)[place])
        source = int(np.searchsorted(self._starts, number, side="right")) - 1
        return source, (number - int(self._starts[source])) % len(self.sources[source])

    def _epoch_order(self, epoch: int) -> NDArray[np.int64]:
        """(len(self),) the records of an epoch, shuffled."""
        return np.random.default_rng((0, self.seed, epoch)).permutation(len(self))
