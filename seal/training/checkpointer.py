"""Save the training state as training goes on: a copy in memory, then a thread that writes it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from itertools import count as counter
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from seal.training import checkpoint_writer
from seal.training.checkpoint_store import KINDS, checkpoint_name, checkpoint_names
from seal.training.checkpoint_writer import PIECE, Piece, Writing
from seal.training.engine import Engine
from seal.training.state import EngineState, Fragment
from seal.training.tensor_file import ITEM, count

_BLOCK = 2**26  # elements of one allocation, 256 MiB: torch rounds pinned memory up to such powers
_GRACE = 120.0  # seconds a run that failed waits for a checkpoint that is being written
_PAUSE = 0.05  # seconds between looks at a checkpoint that is waited for
_SAVES = counter()  # of this process, the same in all: what one save reports is not another's


class Checkpointer:
    """The checkpoints of one run in `folder`. All calls but `close` are collective.

    A checkpoint is complete, and `latest` names it, when every process has written its part. That
    happens in the background: by the next `save`, or `finish`, at the latest.

    Args:
        keep: checkpoints that stay on the disk.
        background: copy the state into host memory and write it from there while training goes
            on (12 bytes a trained parameter, spread over the processes); otherwise training waits.
    """

    def __init__(self, folder: Path, engine: Engine, *, keep: int, background: bool = True) -> None:
        self._folder = folder
        self._engine = engine
        self._world = engine.world
        self._keep = keep
        self._background = background
        self._state: EngineState | None = None
        self._blocks: list[Tensor] = []
        self._writing: Writing | None = None
        self._last: Path | None = None
        self._stall: float | None = None

    def save(self, step: int, config: Mapping[str, Any]) -> None:
        """Copy the state after `step` updates and begin to write it.

        Raises:
            OSError: in every process: it does not fit on the disk, or the one before could not be
                written; the earlier ones are intact.
        """
        began = time.perf_counter()
        self._wait()
        if self._state is None:
            self._state = EngineState(self._engine)
        shapes = self._state.shapes
        error = None
        try:
            self._make_room()
            if self._world.is_main:
                checkpoint_writer.begin(self._folder, step, shapes)
        except OSError as raised:
            error = str(raised)
        self._require_success(step, error)
        with self._engine.open_moments(changed=False):
            self._writing = Writing(
                self._folder, step, config, shapes, self._pieces(self._state),
                rank=self._world.rank, size=self._world.size, post=self._post(), keep=self._keep,
            )  # fmt: skip
            self._writing.start()
            if not self._background:
                self._wait()
        self._stall = time.perf_counter() - began

    def poll(self) -> None:
        """To be called at every step: learn of a checkpoint that could not be written.

        Raises:
            OSError: as `save`.
        """
        if self._writing is not None and not self._look()[0]:
            self._wait()

    def finish(self) -> Path | None:
        """Wait until what was begun is complete; the last checkpoint this object has written.

        Raises:
            OSError: as `save`.
        """
        self._wait()
        self._blocks = []
        return self._last

    def close(self) -> None:
        """At any end; after a failure give what is being written a while to be finished.

        Not collective: the other processes may be gone.
        """
        writing, self._writing = self._writing, None
        self._blocks = []
        if writing is not None:
            writing.join(_GRACE)
            writing.stop()
            writing.join()

    @property
    def last(self) -> Path | None:
        """The newest checkpoint that is known to be complete; of this object's."""
        return self._last

    def take_stall(self) -> dict[str, float]:
        """`save_seconds`: what training waited for the last save; nothing if told already."""
        stall, self._stall = self._stall, None
        return {} if stall is None else {"save_seconds": stall}

    def _look(self) -> tuple[bool, float]:
        """Whether one is still writing and none has failed; how much is written. Alike in all."""
        writing = self._writing
        assert writing is not None
        alive = writing.is_alive()
        failed = not alive and writing.error is not None
        states = [float(alive), float(failed), float(writing.written)]
        running, failures, written = self._world.mean(states)
        return running > 0 and failures == 0, written

    def _wait(self) -> None:
        """Until the checkpoint is complete; in short turns, for a long collective call may expire.

        Raises:
            OSError: in every process, when none of them writes any more.
        """
        writing = self._writing
        if writing is None:
            return
        running, written = self._look()
        while running:
            writing.join(_PAUSE)
            before = written
            running, written = self._look()
            if written > before:  # a disk that is slow is none that hangs
                self._world.beat(f"step {writing.step}: waiting for its checkpoint")
        # Either all are done, or one has failed and there is nothing to wait for.
        failed = self._world.mean([float(writing.error is not None and not writing.is_alive())])
        if failed[0]:
            writing.stop()
        writing.join()
        self._writing = None
        self._require_success(writing.step, writing.error)
        self._last = self._folder / checkpoint_name(writing.step)

    def _require_success(self, step: int, error: str | None) -> None:
        errors = [text for text in self._world.gather(error) if text is not None]
        if not errors:
            return
        assert self._state is not None
        # Nobody writes any more: every process has come here.
        if self._world.is_main:
            checkpoint_writer.discard(self._folder, step)
        need = ITEM * len(KINDS) * sum(map(count, self._state.shapes.values())) / 2**30
        raise OSError(
            f"cannot write the checkpoint of step {step} to {self._folder}: {errors[0]}; it takes "
            f"{need:.2f} GiB; the earlier ones "
            f"({', '.join(checkpoint_names(self._folder)) or 'none'}) are intact: make room and "
            "start the same command again"
        )

    def _post(self) -> Any:
        if self._world.size == 1:
            return None
        # The store the processes met through; its calls are safe beside those of other threads.
        store = dist.distributed_c10d._get_default_store()
        return dist.PrefixStore(f"save-{next(_SAVES)}", store)

    def _pieces(self, state: EngineState) -> list[Piece] | Iterator[Piece]:
        return self._copied(state) if self._background else self._one_by_one(state)

    def _make_room(self) -> None:
        """Take the host memory for a copy of all that this process holds, once.

        Raises:
            OSError: there is not enough.
        """
        if not self._background or self._blocks:
            return
        assert self._state is not None
        size = len(KINDS) * sum(part.end - part.begin for part in self._state.own)
        try:
            blocks = [self._host(min(size - at, _BLOCK)) for at in range(0, size, _BLOCK)]
        except RuntimeError as error:  # torch's for memory of either sort
            raise OSError(
                f"process {self._world.rank} finds no {ITEM * size / 2**30:.1f} GiB of host memory "
                "for a copy of its part: set train.save_in_background=false"
            ) from error
        self._blocks = blocks

    def _copied(self, state: EngineState) -> list[Piece]:
        """All that this process holds, in host memory that is kept from save to save."""
        pieces, at = [], 0
        for kind in KINDS:
            for fragment in state.own:
                living = state.view(fragment, kind)
                for begin, end in _cut(fragment, at):
                    copy = self._blocks[at // _BLOCK][at % _BLOCK :][: end - begin]
                    copy.copy_(
                        living[begin - fragment.begin : end - fragment.begin], non_blocking=True
                    )
                    pieces.append(Piece(kind, fragment.name, begin, _bytes(copy)))
                    at += end - begin
        if self._world.device.type == "cuda":
            torch.cuda.synchronize(self._world.device)
        return pieces

    def _one_by_one(self, state: EngineState) -> Iterator[Piece]:
        host = self._host(PIECE)
        for kind in KINDS:
            for fragment in state.own:
                living = state.view(fragment, kind)
                for begin, end in _cut(fragment, 0):
                    copy = host[: end - begin]
                    copy.copy_(living[begin - fragment.begin : end - fragment.begin])
                    yield Piece(kind, fragment.name, begin, _bytes(copy))

    def _host(self, size: int) -> Tensor:
        return torch.empty(size, pin_memory=self._world.device.type == "cuda")


def _cut(fragment: Fragment, at: int) -> Iterator[tuple[int, int]]:
    """A fragment in pieces none of which crosses a block, if it begins at element `at` of them."""
    begin = fragment.begin
    while begin < fragment.end:
        room = min(PIECE, _BLOCK - at % _BLOCK)
        end = min(fragment.end, begin + room)
        yield begin, end
        at += end - begin
        begin = end


def _bytes(tensor: Tensor) -> memoryview:
    return tensor.numpy().data.cast("B")
