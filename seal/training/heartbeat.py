"""Notice a process that hangs, say which one and where, and end the run instead of waiting."""

from __future__ import annotations

import faulthandler
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch.distributed as dist

_FAILED_GRACE = 30.0  # seconds in which the others may still say why, and end what they write


@dataclass(slots=True)
class State:
    """How far a process has come."""

    count: int = 0  # places passed; every process passes the same ones in the same order
    place: str = "starting"
    host: str = ""
    done: bool = False


class Heartbeat:
    """A thread in each process that tells the others how far it is, and looks at how far they are.

    The main thread only notes where it is (`beat`). When nobody has moved for `timeout` seconds,
    everybody ends: the one that has passed the fewest places is the one the others wait for.
    """

    def __init__(self, store: Any, *, rank: int, size: int, timeout: float) -> None:
        """`store` is a connection of this thread's own; `timeout` in seconds."""
        self._store = store
        self._rank = rank
        self._keys = [f"beat/{other}" for other in range(size)]
        self._state = State(host=socket.gethostname())
        self._period = min(2.0, timeout / 10)  # seconds between two looks
        self._judge = Judge(timeout)
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin to tell and to look; a collective call, as all are expected to tell."""
        self._tell()
        self._thread.start()

    def beat(self, place: str) -> None:
        """Note that this process has come to `place`; costs nothing."""
        self._state.count += 1
        self._state.place = place

    def leave(self, failure: BaseException | None = None) -> None:
        """Stop looking and being looked at; with a `failure`, the others end as well."""
        if self._left.is_set():
            return
        self._left.set()
        self._thread.join(timeout=5.0)
        self._state.done = True
        try:
            if failure is not None:
                who = f"rank {self._rank} on {self._state.host}"
                self._store.set("failed", f"{who} failed with {type(failure).__name__}")
            self._tell()
        except (RuntimeError, OSError):
            pass  # whoever keeps the store is gone, and with it everybody who could be told

    def _tell(self) -> None:
        state = self._state
        told = [state.count, state.place, state.host, state.done]
        self._store.set(self._keys[self._rank], json.dumps(told))

    def _watch(self) -> None:
        try:
            while not self._left.wait(self._period):
                self._tell()
                if self._store.check(["failed"]):
                    self._end_with_others(self._store.get("failed").decode())
                states = {
                    rank: State(*json.loads(self._store.get(key)))
                    for rank, key in enumerate(self._keys)
                    if self._store.check([key])
                }
                if late := self._judge.late(states):
                    self._end_late(states, late)
                if self._store.check(["late"]):  # by somebody else's clock
                    late, text = json.loads(self._store.get("late"))
                    _record(text)
                    self._exit(dump=self._rank in late)
        except (RuntimeError, OSError):
            return  # the store is gone: its keeper has ended, which the collectives notice

    def _end_with_others(self, what: str) -> None:
        if self._left.wait(_FAILED_GRACE):
            return
        _say(f"{what}: rank {self._rank} on {self._state.host} ends with it")
        self._exit()

    def _end_late(self, states: dict[int, State], late: list[int]) -> None:
        text = describe(states, late, self._judge.timeout)
        self._store.set("late", json.dumps([late, text]))
        on_time = [rank for rank in states if rank not in late]
        if self._rank == min(on_time or late):
            _say(text)
        _record(text)
        time.sleep(self._period)  # so that the others see it before a launcher ends them
        self._exit(dump=self._rank in late)

    def _exit(self, *, dump: bool = False) -> None:
        """End the process, whatever its main thread is stuck in; tell where that is."""
        if dump:
            _say(f"rank {self._rank} on {self._state.host} is stuck here:")
            faulthandler.dump_traceback(file=sys.__stderr__ or 2, all_threads=True)
        flush = threading.Thread(target=sys.stdout.flush, daemon=True)  # may be stuck as well
        flush.start()
        flush.join(1.0)
        os._exit(1)


@dataclass(slots=True)
class Judge:
    """Which processes have kept the others waiting for too long, by this process's own clock."""

    timeout: float  # seconds
    clock: Callable[[], float] = time.monotonic
    _counts: dict[int, int] = field(default_factory=dict)  # of those at work, when last looked
    _moved: float = 0.0  # when one of them was last seen to have moved

    def late(self, states: dict[int, State]) -> list[int]:
        """The ranks that are the furthest behind, if none at all has moved for `timeout` seconds.

        None at all: one that hangs stops the others at the next collective call.
        """
        now = self.clock()
        counts = {rank: state.count for rank, state in states.items() if not state.done}
        if counts != self._counts:
            self._counts, self._moved = counts, now
        if not counts or now - self._moved < self.timeout:
            return []
        return sorted(rank for rank, count in counts.items() if count == min(counts.values()))


def describe(states: dict[int, State], late: list[int], timeout: float) -> str:
    """Who hangs where, and what to do."""
    who = ", ".join(f"rank {rank} on {states[rank].host}" for rank in late[:8])
    who += f" and {len(late) - 8} more" if len(late) > 8 else ""
    waiting = sum(1 for rank, state in states.items() if rank not in late and not state.done)
    others = f"{waiting} others wait" if waiting else "all that are left"
    return (
        f"{who} ({others}): no further than `{states[late[0]].place}` within {timeout / 60:g} "
        "minutes, so the run ends; below is what each of these does. Look at the machine (its file "
        "system, its GPU), then start the same command again: it goes on from the last checkpoint. "
        "train.timeout_minutes sets how long to wait"
    )


def _say(text: str) -> None:
    # Not through `sys.stderr`, whose lock the stuck main thread may hold.
    os.write(2, f"\n{text}\n".encode())


def _record(text: str) -> None:
    """Into the file from which torchrun tells what went wrong."""
    from torch.distributed.elastic.multiprocessing.errors import get_error_handler

    if "TORCHELASTIC_ERROR_FILE" not in os.environ:
        return
    try:
        raise TimeoutError(text)  # it writes down what is being handled
    except TimeoutError as error:
        get_error_handler().record_exception(error)


def own_connection() -> Any:
    """A second connection to the store that the launcher named: one thread each."""
    restarts = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    store = dist.TCPStore(
        os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False,
        wait_for_workers=False,
    )  # fmt: skip
    return dist.PrefixStore(f"seal/heartbeat/{restarts}", store)
