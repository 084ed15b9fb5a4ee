"""Work of a network beside other work of it, on the other half of a processor's cores.

One crop is too little work for all cores: most of its operations are so short that sharing them out
takes longer than doing them. Two parts that do not need each other share the cores better.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch


class Beside:
    """Runs one thing in a thread while the caller does another."""

    def __init__(self, device: torch.device, on: bool = False) -> None:
        """A GPU takes its work from one thread."""
        if on and device.type != "cpu":
            raise ValueError(f"side_by_side=True is for a CPU; the model is on {device}")
        self.on = on
        self._thread = ThreadPoolExecutor(1, "beside") if on else None

    @contextmanager
    def __call__(self, work: Callable[[], None]) -> Iterator[None]:
        """Do `work` beside the block, or before it; done when the block ends, whatever it raised.

        Raises:
            Exception: what `work` raised, unless the block raised something.
        """
        if self._thread is None:
            work()
            yield
            return
        cores = torch.get_num_threads()
        torch.set_num_threads(max(1, cores // 2))
        future = self._thread.submit(_quietly, work, max(1, cores - cores // 2))
        try:
            yield
        finally:
            try:
                future.exception()  # waits; what is still written to must not be let go
            finally:  # somebody may have no patience
                torch.set_num_threads(cores)
        future.result()


def _quietly(work: Callable[[], None], cores: int) -> None:
    # How many cores an operation takes is a matter of the thread that asks for it.
    torch.set_num_threads(cores)
    with torch.inference_mode():
        work()
