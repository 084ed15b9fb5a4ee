"""Processes of their own that begin with the libraries loaded: forks of one that did it once.

A new Python has DeepSpeed after five seconds of a core; a fork of one that has it, at once. It is a
process like any other: own environment, own arguments, signals, exit code, death by SIGKILL.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from multiprocessing import util  # noqa: F401  before `atexit` here: what waits at the exit is its
from pathlib import Path

ROOT = Path(__file__).parents[1]
# What is not ours: seal itself is loaded by each process, from wherever this one has it.
LIBRARIES = [
    "torch", "torch._dynamo", "torch.utils.tensorboard", "deepspeed", "setuptools",
    "deepspeed.runtime.zero.muon.original_muon", "transformers", "peft", "hydra",
    "transformers.models.llama.modeling_llama", "transformers.models.clip.modeling_clip",
]  # fmt: skip
LAUNCHER = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(LIBRARIES)
_alive: list[Started] = []


class Started:
    """As a `subprocess.Popen`, so far as tests need it."""

    def __init__(self, command: Sequence[str], log: Path, env: dict[str, str]) -> None:
        outside = {key: value for key, value in os.environ.items() if key not in LAUNCHER}
        given = (list(map(str, command)), str(log), outside | {"OMP_NUM_THREADS": "1"} | env)
        self._process = _context.Process(target=_run, args=given)
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid
        _alive.append(self)

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        """Its exit code; one that takes longer is killed."""
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            self.kill()
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        _alive.remove(self)
        return code

    def kill(self) -> None:
        self._process.kill()


def start(*command: object, log: Path, env: dict[str, str] | None = None) -> Started:
    """`python COMMAND` (a path or -m and a module, then arguments) as leader of a new session.

    What it says, on either stream, is added to `log`.
    """
    return Started([str(word) for word in command], log, env or {})


def run(*command: object, log: Path, env: dict[str, str] | None = None) -> tuple[int, str]:
    """Exit code and all that `log` holds then."""
    code = start(*command, log=log, env=env).wait(200)
    return code, log.read_text()


def start_together(processes: int, *command: object, log: Path, machines: int = 1) -> list[Started]:
    """What `torchrun COMMAND` starts on so many machines, by rank."""
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        port = opened.getsockname()[1]
    here = processes // machines
    shared = {"WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(here)}
    shared |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    ranks = [{"RANK": str(rank), "LOCAL_RANK": str(rank % here)} for rank in range(processes)]
    return [start(*command, log=log, env=shared | rank) for rank in ranks]


def run_together(processes: int, *command: object, log: Path, machines: int = 1) -> str:
    """What they said.

    Raises:
        AssertionError: one ended with another code than 0; the others are killed then.
    """
    started = start_together(processes, *command, log=log, machines=machines)
    end = time.monotonic() + 200
    while any(process.poll() is None for process in started) and time.monotonic() < end:
        if any(process.poll() for process in started):  # the others may wait for it for ever
            end = min(end, time.monotonic() + 10)
        time.sleep(0.02)
    for process in started:
        process.kill()
    codes = [process.wait(10) for process in started]
    assert codes == [0] * processes, f"exit codes {codes}: {log.read_text()[-3000:]}"
    return log.read_text()


def _run(command: list[str], log: str, environment: dict[str, str]) -> None:
    """In the fork: become what `python COMMAND` would be."""
    # It inherits the way it was started itself: workers of its loaders would load all anew.
    multiprocessing.set_start_method(None, force=True)
    os.setsid()
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(environment)
    said = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.close(said)
    try:
        if command[0] == "-m":
            sys.argv = command[1:]
            runpy.run_module(command[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = command
            runpy.run_path(command[0], run_name="__main__")
    except KeyboardInterrupt:  # as Python itself ends on it
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except Exception:  # through torch's hook, which says the rank
        sys.excepthook(*sys.exc_info())
        sys.exit(1)
    finally:
        atexit._run_exitfuncs()  # the base class ends without


@atexit.register
def _end_all() -> None:
    """Of a test that failed: nothing is to wait for what it left running."""
    for process in _alive:
        process.kill()
