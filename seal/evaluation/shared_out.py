"""A run by one process or several: whole batches are shared out, and all lines end in one file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from seal.evaluation.shards import Shard
from seal.evaluation.store import Key, PredictionStore
from seal.evaluation.task import Prediction

Item = TypeVar("Item")


def share_out(
    folder: Path,
    key: Callable[[Prediction], Key],
    batches: Sequence[Sequence[Item]],
    work: Callable[[Sequence[Item], PredictionStore], None],
    order: Mapping[Key, int],
    *,
    shard: Shard,
    title: str,
    unit: str,
) -> list[Prediction]:
    """All lines of a run, in `order`, on the first process; [] on the others.

    Args:
        batches: the same for any number of processes, so that what is put together, which may
            decide the last bit of a number, does not depend on that number.
        work: adds to the store what one batch lacks there.
        title, unit: of the progress bar.
    """
    store = PredictionStore(folder, key, rank=shard.rank, world_size=shard.world_size)
    shard.wait()  # nobody writes before everybody has read what was there
    if shard.rank == 0:
        store.gather()
    shard.wait()
    mine = shard.take(batches)
    total = sum(map(len, mine))
    with tqdm(total=total, desc=title, unit=unit, disable=shard.rank > 0) as bar:
        for batch in mine:
            work(batch, store)
            bar.update(len(batch))
    shard.wait()
    lines = store.merge(order) if shard.rank == 0 else []
    shard.wait()
    return lines


def in_batches(items: Sequence[Item], size: int) -> list[list[Item]]:
    """`size` of them at a time, in order."""
    return [list(items[start : start + size]) for start in range(0, len(items), size)]
