"""The tiny training, its last process killed at a write of a checkpoint.

python tests/tiny_killed_saving.py FOLDER [kill_at_write=22], or under torchrun
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from tiny_training import tiny_engine, tiny_fit, tiny_train

from seal.training.distributed import distributed


def kill_at_write(moment: int) -> None:
    """Die at a write to a file of tensors, counted from 0; each takes a moment."""
    write, calls = os.pwrite, iter(range(10_000))

    def dying(*arguments):
        if next(calls) == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.01)  # training goes on meanwhile
        return write(*arguments)

    os.pwrite = dying


if __name__ == "__main__":
    for option in sys.argv[2:]:
        if int(os.environ.get("RANK", "0")) == int(os.environ.get("WORLD_SIZE", "1")) - 1:
            kill_at_write(int(option.removeprefix("kill_at_write=")))
    with distributed(seed=0) as world:
        tiny_fit(tiny_engine(world, tiny_train(save_every=2), stage=2), Path(sys.argv[1]))
