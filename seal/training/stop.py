"""End a run in good order when somebody asks for it: a checkpoint, nothing lost, exit code 0."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from seal.files.whole import write_whole
from seal.training.distributed import World

SIGNALS = ("SIGTERM", "SIGUSR1", "SIGINT")
STOP_FILE = "STOP"  # in the run's folder; anybody may write it
HONOURED = "STOP.honoured"  # what it is called then, so that the next start does not stop at once
STOPPED = "stopped.txt"  # why and where a run was stopped; the next start removes it
REASONS = (*SIGNALS, STOP_FILE, "max_hours")
_LOOK = 3.0  # seconds between two looks for the file


class StoppedError(SystemExit):
    """The run was asked to stop and did. Not a failure: the exit code is 0."""

    def __init__(self, why: str, step: int) -> None:
        super().__init__(0)
        self.why = why
        self.step = step


class StopRequest:
    """`with StopRequest(folder, world) as stop:` notes signals until the block ends.

    A signal reaches one process, the file is looked for by the first, a clock may differ: so each
    one has its `votes`, which the loop adds up in every step, and all stop before the same one.
    """

    def __init__(
        self,
        folder: Path,
        world: World,
        *,
        max_hours: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`max_hours` count from here."""
        self.folder = folder
        self.world = world
        self.max_hours = max_hours
        self._clock = clock
        self._began = clock()
        self._looked = -_LOOK + self._began
        self._caught: set[str] = set()
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopRequest:
        if self.world.is_main:
            (self.folder / STOPPED).unlink(missing_ok=True)
        if threading.current_thread() is threading.main_thread():  # Python allows it there only
            for name in SIGNALS:
                number = signal.Signals[name]
                self._before[number] = signal.signal(number, self._catch)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def votes(self) -> list[float]:
        """For each of `REASONS`, 1 if this process knows of it."""
        now = self._clock()
        known = set(self._caught)
        if self.max_hours is not None and now - self._began >= 3600 * self.max_hours:
            known.add("max_hours")
        if self.world.is_main and now - self._looked >= _LOOK:
            self._looked = now
            if (self.folder / STOP_FILE).exists():
                known.add(STOP_FILE)
        return [float(reason in known) for reason in REASONS]

    def stop(self, votes: Sequence[float], step: int, checkpoint: Path) -> NoReturn:
        """End the run, which `checkpoint` holds after `step` steps; says how to go on.

        Args:
            votes: of all processes, added up; the first of `REASONS` with one is told.

        Raises:
            StoppedError: always.
        """
        why = next(why for why, vote in zip(REASONS, votes, strict=True) if vote)
        if self.world.is_main:
            self._honour(why, step, checkpoint)
        raise StoppedError(why, step)

    def _honour(self, why: str, step: int, checkpoint: Path) -> None:
        told = {
            STOP_FILE: f"the file {self.folder / STOP_FILE}",
            "max_hours": f"train.max_hours={self.max_hours}",
        }.get(why, why)
        renamed = ""
        if (file := self.folder / STOP_FILE).exists():
            file.replace(self.folder / HONOURED)
            renamed = f"; {STOP_FILE} is now called {HONOURED}"
        text = (
            f"stopped by {told} after step {step}: {checkpoint} holds everything, the same command "
            f"goes on from there; no model was exported{renamed}"
        )
        write_whole(self.folder / STOPPED, f"{why} at step {step}\n{text}\n")
        print(text, flush=True)

    def _catch(self, number: int, _: FrameType | None) -> None:
        name = signal.Signals(number).name
        if name == "SIGINT" and name in self._caught:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            raise KeyboardInterrupt
        if not self._caught and self.world.is_main:
            again = " (once more: at once)" if name == "SIGINT" else ""
            # Not `print`: the signal may have come in the middle of another one.
            text = f"\n{name}: this step is finished, then a checkpoint is written{again}\n"
            os.write(2, text.encode())
        self._caught.add(name)


def leave_signals_to_parent(_: int = 0) -> None:
    """In a loader's worker: only the process that it works for decides when it ends.

    A terminal, Slurm and torchrun send signals to a whole process group, and a worker that ended
    would take the checkpoint with it. A worker whose parent is gone ends by itself.
    """
    os.setpgid(0, 0)
    for name in ("SIGINT", "SIGUSR1"):  # SIGTERM is how the parent ends it
        signal.signal(signal.Signals[name], signal.SIG_IGN)
