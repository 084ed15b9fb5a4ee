"""Join the processes of a run: device, backend, seeds; one process needs no launcher."""

from __future__ import annotations

import logging
import os
import random
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
import torch.distributed.distributed_c10d as c10d

from seal.files.lock import WriterLock
from seal.training.heartbeat import Heartbeat, own_connection

T = TypeVar("T")
_GRACE = 3.0  # seconds in which the first process says what is wrong

LAUNCHER_VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True, slots=True)
class World:
    """This process among those of the run."""

    rank: int
    size: int
    local_rank: int  # among the processes of this machine
    device: torch.device
    host_group: Any = None  # all processes over gloo, for what lies in host memory
    heart: Heartbeat | None = None  # None: nobody looks whether this process hangs

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def sum(self, values: list[float]) -> list[float]:
        """The sum of each value over all processes; collective, and waits for no GPU."""
        if self.size == 1:
            return values
        total = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(total, group=self.host_group)
        summed: list[float] = total.tolist()
        return summed

    def mean(self, values: list[float]) -> list[float]:
        """The mean of each value over all processes; a collective call."""
        return [value / self.size for value in self.sum(values)]

    def gather(self, value: T) -> list[T]:
        """What each process passed, by rank; a collective call."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value, group=self.host_group)
        return values

    def decide(self, work: Callable[[], T]) -> T:
        """What `work` returns in the first process, which alone does it; collective.

        Raises:
            Exception: in the first process: what `work` raised.
            SystemExit: in the others, which end with it instead of waiting for it.
        """
        answer: Any = None
        refused: Exception | None = None
        if self.is_main:
            try:
                answer = work()
            except Exception as error:
                refused = error
        if self.size > 1:
            code = 0 if refused is None else 2 if isinstance(refused, ValueError) else 1
            told = [answer, code]
            dist.broadcast_object_list(told, src=0, group=self.host_group)
            answer, code = told
            if code and not self.is_main:
                time.sleep(_GRACE)  # a launcher ends everybody with the first that ends
                raise SystemExit(code)
        if refused is not None:
            raise refused
        return answer

    def beat(self, place: str) -> None:
        """Note that this process has come to `place`: one that stays too long ends the run."""
        if self.heart is not None:
            self.heart.beat(place)

    def total(self, values: torch.Tensor) -> torch.Tensor:
        """The sum of a tensor on this device over all processes, in place; a collective call."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    @contextmanager
    def lock(self, folder: Path, what: str) -> Iterator[None]:
        """Hold a folder for all processes of the run; the first one takes the lock. Collective.

        Raises:
            ValueError: in the first process: somebody else writes there.
            SystemExit: in the others, which end with it instead of waiting for it.
        """
        lock = WriterLock(folder, what)
        self.decide(lock.acquire)
        try:
            yield
        finally:
            lock.release()

    def rest(self) -> None:
        """From here on nobody waits for this process: it may take as long as it likes."""
        if self.heart is not None:
            self.heart.leave()

    def barrier(self) -> None:
        """Wait for every process."""
        if self.size > 1:
            dist.barrier(group=self.host_group)


@contextmanager
def distributed(seed: int, *, timeout_minutes: float = 30.0) -> Iterator[World]:
    """Start the process group that torchrun or Slurm describes, or a group of one.

    GPUs talk over NCCL, CPUs over gloo. Every process starts from the same seed, so what is
    newly initialized is the same everywhere.

    Args:
        timeout_minutes: one that hangs for so long ends the run and is named; one that fails ends
            it at once. Nobody waits for a run of one that no launcher started.

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
    host_group: Any = None
    heart: Heartbeat | None = None
    if not dist.is_initialized():
        if launched:
            host_group = _join(backend, timeout_minutes)
            seconds = 60 * timeout_minutes
            heart = Heartbeat(own_connection(), rank=rank, size=size, timeout=seconds)
        else:
            alone = dist.HashStore()  # in memory: no port is needed
            dist.init_process_group(backend, store=alone, rank=0, world_size=1)
    os.environ.setdefault("LOCAL_RANK", str(local_rank))  # DeepSpeed insists on it
    _join_deepspeed(backend)
    if heart is not None:
        heart.start()
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)
    try:
        yield World(rank, size, local_rank, device, host_group, heart)
    except BaseException as error:
        # Those that leave by `SystemExit` were told to; the others do not know of it yet.
        if heart is not None:
            heart.leave(None if isinstance(error, SystemExit) else error)
        raise
    finally:
        if heart is not None:
            heart.leave()
        # A group of one holds no connection and DeepSpeed keeps references to it, so a second
        # run in the same process uses it again.
        if launched:
            dist.destroy_process_group()


def _join(backend: str, timeout_minutes: float) -> Any:
    """Meet the others; the group in which host memory is exchanged, None: the default one.

    The heartbeat ends a run that hangs, and says why; what a collective call itself waits for a
    little longer is the second net.
    """
    timeout = timedelta(minutes=1.25 * timeout_minutes) + timedelta(seconds=30)
    if backend == "nccl":
        os.environ.setdefault("TORCH_NCCL_ASYNC_ERROR_HANDLING", "1")  # abort, do not wait on
    # Groups that others make without a timeout (DeepSpeed does) get torch's 10 minutes otherwise.
    c10d.default_pg_timeout = timeout
    c10d.default_pg_nccl_timeout = timeout
    dist.init_process_group(backend, timeout=timeout)
    return dist.new_group(backend="gloo", timeout=timeout) if backend == "nccl" else None


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
