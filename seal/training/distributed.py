"""Join the processes of a run: device, backend, seeds; one process needs no launcher."""

from __future__ import annotations

import logging
import os
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from seal.files.lock import WriterLock

LAUNCHER_VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True, slots=True)
class World:
    """This process among those of the run."""

    rank: int
    size: int
    local_rank: int  # among the processes of this machine
    device: torch.device

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def mean(self, values: list[float]) -> list[float]:
        """The mean of each value over all processes; a collective call."""
        if self.size == 1:
            return values
        total = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return (total / self.size).tolist()

    def gather(self, value: Any) -> list[Any]:
        """The value of every process, which can be pickled, by rank; a collective call."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values

    @contextmanager
    def lock(self, folder: Path, what: str) -> Iterator[None]:
        """Hold a folder for all processes of the run; the first one takes the lock. Collective.

        Raises:
            ValueError: in the first process: somebody else writes there.
            SystemExit: in the others, which end with it instead of waiting for it.
        """
        lock = WriterLock(folder, what)
        refused: ValueError | None = None
        if self.is_main:
            try:
                lock.acquire()
            except ValueError as error:
                refused = error
        if self.mean([float(refused is not None)])[0] > 0:
            raise refused or SystemExit(2)
        try:
            yield
        finally:
            lock.release()

    def barrier(self) -> None:
        """Wait for every process."""
        if self.size > 1:
            dist.barrier()


@contextmanager
def distributed(seed: int) -> Iterator[World]:
    """Start the process group that torchrun or Slurm describes, or a group of one.

    GPUs talk over NCCL, CPUs over gloo. Every process starts from the same seed, so what is
    newly initialized is the same everywhere.

    Raises:
        ValueError: WORLD_SIZE says that there are others, and a way to meet them is not set.
    """
    missing = [name for name in LAUNCHER_VARIABLES if name not in os.environ]
    launched = not missing
    if missing and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        # Each process would take itself for the only one and write to the same folder.
        raise ValueError(
            f"WORLD_SIZE={os.environ['WORLD_SIZE']}, but not set: {', '.join(missing)}; start with "
            f"torchrun, let the launcher set them, or unset WORLD_SIZE to run one process"
        )
    rank, size, local_rank = (
        (int(os.environ[name]) for name in LAUNCHER_VARIABLES[:3]) if launched else (0, 1, 0)
    )
    device = _device(local_rank)
    backend = "nccl" if device.type == "cuda" else "gloo"
    os.environ.setdefault("DS_ACCELERATOR", device.type)
    if not dist.is_initialized():
        if launched:
            dist.init_process_group(backend)
        else:
            alone = dist.HashStore()  # in memory: no port is needed
            dist.init_process_group(backend, store=alone, rank=0, world_size=1)
    os.environ.setdefault("LOCAL_RANK", str(local_rank))  # DeepSpeed insists on it
    _join_deepspeed(backend)
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)
    try:
        yield World(rank, size, local_rank, device)
    finally:
        # A group of one holds no connection and DeepSpeed keeps references to it, so a second
        # run in the same process uses it again.
        if launched:
            dist.destroy_process_group()


def _device(local_rank: int) -> torch.device:
    if not torch.cuda.is_available():
        return torch.device("cpu")
    if local_rank >= torch.cuda.device_count():
        raise ValueError(
            f"process {local_rank} of this machine has no GPU: there are "
            f"{torch.cuda.device_count()}; lower torchrun --nproc-per-node"
        )
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)


def _join_deepspeed(backend: str) -> None:
    """Let DeepSpeed use the existing process group, without compiling anything."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import deepspeed
        import deepspeed.ops
        from deepspeed.utils import logger

    logger.setLevel(logging.WARNING)
    # ZeRO-3 cannot look into a model's output; it only matters to modules with weights of their
    # own, and the models have none outside their children.
    logger.addFilter(lambda record: "unknown inputs or outputs" not in record.getMessage())
    # DeepSpeed calls collectives by names that torch is about to drop; once a call, in every step.
    warnings.filterwarnings("ignore", category=FutureWarning, module="torch.distributed")
    # On CPUs DeepSpeed would compile a shared-memory all-reduce here (about a minute, needs a
    # compiler); marked as unavailable it uses gloo, with the same numbers.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.init_distributed(dist_backend=backend, auto_mpi_discovery=False, verbose=False)
