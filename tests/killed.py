"""Kill a program at drawn moments while a second one wants the same folder, then let it finish."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]


def start(arguments: Sequence[str], folder: Path) -> subprocess.Popen[str]:
    """`python -m seal ARGUMENTS` in `folder`, in a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "seal", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and output."""
    said, _ = process.communicate(timeout=600)
    return process.returncode, said


def kill(process: subprocess.Popen[str]) -> None:
    """The process and its workers at once, as a machine that loses power would."""
    with suppress(ProcessLookupError):  # it had finished
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def kill_and_disturb(
    arguments: Sequence[str],
    folder: Path,
    busy: Path,
    rng: np.random.Generator,
    longest: float,
    *,
    meet: bool = False,
) -> str:
    """Start, start it a second time, kill the first; what became of the second: done or refused.

    Args:
        busy: the file that is there while the folder is written to: its lock.
        longest: seconds; the first is killed at a drawn moment of that time behind its lock.
        meet: let the second come to the lock before that time begins.

    Raises:
        AssertionError: the second neither finished nor was refused in one line with exit code 2.
    """
    first = start(arguments, folder)
    while first.poll() is None and not busy.exists():
        time.sleep(0.01)
    second = start(arguments, folder)
    code, said = finish(second) if meet else (-1, "")
    time.sleep(float(rng.uniform(0, longest)))
    kill(first)
    if not meet:
        code, said = finish(second)
    if code == 0:
        return "done"
    last = [line for line in said.splitlines() if line.strip()][-1]
    assert code == 2, said[-2000:]
    assert "writes there (process" in last or "already holds a record set" in last, said[-2000:]
    return "refused"
