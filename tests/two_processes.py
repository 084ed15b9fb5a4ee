"""Start a training on two processes of this machine, under torchrun."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from seal.training.log import read_metrics

PROGRAM = Path(__file__).with_name("tiny_training.py")


def start_two(folder: Path, *options: str, log: Path) -> subprocess.Popen[bytes]:
    """`tests/tiny_training.py` in a session of its own; what it says goes to `log`."""
    launch = ["torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    # What the programs of the tests call RANK and so on must not reach the launcher.
    env = {key: v for key, v in os.environ.items() if key not in ("RANK", "WORLD_SIZE")}
    with log.open("wb") as said:
        return subprocess.Popen(
            [
                sys.executable, "-m", *launch, "--signals-to-handle",
                "SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1", str(PROGRAM), str(folder), *options,
            ],
            env=env | {"OMP_NUM_THREADS": "1"}, stdout=said, stderr=said, start_new_session=True,
        )  # fmt: skip


def run_two(folder: Path, *options: str, log: Path) -> tuple[int, str]:
    """Exit code and output."""
    code = start_two(folder, *options, log=log).wait(timeout=150)
    return code, log.read_text()


TIMES = {"seconds_per_step", "tokens_per_second", "samples_per_second", "data_wait"}
TIMES |= {"peak_memory_gib", "save_seconds"}


def curve(folder: Path) -> list[dict[str, float]]:
    """What was logged, less what a clock says."""
    lines = read_metrics(folder / "metrics.jsonl")
    return [{key: value for key, value in line.items() if key not in TIMES} for line in lines]
