"""How hard a search drives its model; none of it changes what a search visits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, TypeAlias

from seal.search.protocol import Patch

CONCURRENCY = 64  # of a model that does not say how many its memory carries

Prepare: TypeAlias = Callable[[Sequence[Patch]], None]


@dataclass(kw_only=True, slots=True)
class SpeedConfig:
    """None, of any of these: what suits the model and the memory it has."""

    # Detections before their turn, per search and batch; None: those that take no more time, for a
    # search that is alone (3 on a GPU without graphs, else 0).
    lookahead: int | None = None
    concurrency: int | None = None  # searches side by side; None: what the memory for crops holds
    max_batch: int | None = None  # queries, or rows, in one pass of a network; None: what fits
    cache_mb: int | None = None  # kept of the crops that were seen; None: a share of what is free
    # Cut and resize what is likely next while the network computes; None: where the model can.
    prepare: bool | None = None
    # Record passes over few crops as CUDA graphs, for SEAL's search model on a GPU; None: no.
    graphs: bool | None = None

    def __post_init__(self) -> None:
        for name, least in (
            ("lookahead", 0), ("concurrency", 1), ("max_batch", 1), ("cache_mb", 0),
        ):  # fmt: skip
            value = getattr(self, name)
            whole = isinstance(value, Integral) and not isinstance(value, bool)
            if value is not None and not (whole and value >= least):
                raise ValueError(
                    f"{name}={value!r} must be a whole number of at least {least}; leave it out "
                    "for what suits the model"
                )
        for name in ("prepare", "graphs"):
            value = getattr(self, name)
            if not (value is None or isinstance(value, bool)):
                raise ValueError(f"{name}={value!r} is neither True nor False; leave it out")

    def of(self, model: Any) -> Pace:
        """With what is not said here as the model says it.

        What answers the queries may have `concurrency` and `max_batch`; `lookahead`, where a batch
        of so many and one takes hardly longer than one query; and `prepare(patches)`, which begins
        to cut and resize patches in the background.
        """
        models = answering_models(model)
        room = _least(models, "max_batch")
        if self.max_batch is not None:
            room = self.max_batch if room is None else min(room, self.max_batch)
        lookahead, concurrency, fill = self.lookahead, self.concurrency, None
        if lookahead is None:
            lookahead = _least(models, "lookahead") or 0
            fill = lookahead + 1
        if concurrency is None:
            concurrency = _least(models, "concurrency") or CONCURRENCY
        preparing: list[Prepare] = []
        if self.prepare is not False:
            preparing = [each.prepare for each in models if hasattr(each, "prepare")]
        return Pace(
            lookahead=lookahead,
            fill=fill,
            concurrency=concurrency,
            max_batch=self.max_batch,
            room=room,
            preparing=tuple(preparing),
            late_heat=getattr(model, "late_heat", False),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """A `SpeedConfig` with everything decided for one model."""

    lookahead: int
    # Queries of a batch that look-ahead fills up to, where the model says how far to look: what one
    # search alone would have. None: a whole batch.
    fill: int | None
    concurrency: int
    max_batch: int | None  # most queries of one call; None: the model divides a call itself
    room: int | None  # queries that go through the model together; None: it does not say
    preparing: tuple[Prepare, ...]  # what wants to know what it is likely to be asked about
    # The target's heat is a part of its detection, made where it is asked for: no call of its own.
    late_heat: bool


def answering_models(model: Any) -> list[Any]:
    """Those that answer in the end, each once: a model that only passes queries on says to whom
    (`passes_to`).
    """
    through: tuple[Any, ...] = getattr(model, "passes_to", ())
    found = [each for other in through for each in answering_models(other)] or [model]
    return list({id(each): each for each in found}.values())


def _least(models: list[Any], name: str) -> int | None:
    """The least of what some of the models say; None: none says it."""
    said = [value for each in models if (value := getattr(each, name, None)) is not None]
    return min(said, default=None)
