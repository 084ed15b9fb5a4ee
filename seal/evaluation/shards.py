"""One process of several: torchrun starts them, each takes its share of the questions."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from seal.files.lock import WriterLock

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Shard:
    """Which process this is."""

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0  # on this machine: which GPU

    def take(self, items: Sequence[Item]) -> list[Item]:
        """Every `world_size`-th item: neighbors cost about the same, so shards end together."""
        return list(items[self.rank :: self.world_size])

    def device(self, wanted: str | None) -> str:
        """The device asked for, or this process's own GPU if there is one."""
        import torch

        if wanted not in (None, "cuda"):
            assert wanted is not None
            return wanted
        if not torch.cuda.is_available():
            if wanted == "cuda":
                raise ValueError("device=cuda, but there is no GPU here; leave it out or say cpu")
            return "cpu"
        return f"cuda:{self.local_rank}"

    def writes(self, folder: Path) -> AbstractContextManager[Any]:
        """Hold a result folder while it is written to: the first process does it for all.

        Raises:
            InUseError: another evaluation writes there.
        """
        return WriterLock(folder, "evaluation") if self.rank == 0 else nullcontext()

    def wait(self) -> None:
        """Until every process is here."""
        if self.world_size > 1:
            import torch.distributed

            torch.distributed.barrier()


@contextmanager
def shard_of_run() -> Iterator[Shard]:
    """The place torchrun gave this process; alone without it."""
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    if world_size == 1:
        yield Shard()
        return
    import torch.distributed

    # One process may be done hours before another; torchrun ends all when one of them dies.
    torch.distributed.init_process_group("gloo", timeout=timedelta(days=30))
    try:
        rank = torch.distributed.get_rank()
        yield Shard(rank, world_size, int(os.environ.get("LOCAL_RANK", "0")))
    finally:
        torch.distributed.destroy_process_group()
