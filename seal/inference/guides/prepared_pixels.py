"""Pixels of crops made in threads, also of those that will probably be asked for next.

Pillow resizes without Python's lock, so that a model computes meanwhile. What is asked for never
waits behind what was only foreseen.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from PIL.Image import Image

from seal.search.protocol import Patch

Key: TypeAlias = tuple[int, tuple[int, int, int, int]]  # identity of the image, whole pixels


@dataclass(slots=True)
class _Ahead:
    patch: Patch  # keeps the image alive: its identity is the key
    future: Future[np.ndarray]
    foreseen: bool = True  # begun before it was asked for


class PreparedPixels:
    """Makes the pixels of patches, ahead or when they are asked for, and keeps them until then.

    Pixels are handed over once: whoever asks again has them made again. Safe to call from several
    threads.
    """

    def __init__(
        self,
        prepare: Callable[[Patch], np.ndarray],
        threads: int | None = None,
        *,
        most_ahead: int = 64,
    ) -> None:
        """
        Args:
            prepare: makes (3, S, S) uint8 of one patch; called in several threads at a time.
            threads: for what is asked for, and half as many for what is foreseen; by default one a
                processor, 8 at most.
            most_ahead: patches that were foreseen and not asked for yet; the oldest are dropped.
        """
        if most_ahead < 0 or (threads is not None and threads < 1):
            raise ValueError(
                f"threads={threads} and most_ahead={most_ahead}; needed are at least 1 and 0"
            )
        threads = threads or min(8, os.cpu_count() or 1)
        self.prepare = prepare
        self.most_ahead = most_ahead
        self.made = 0  # patches whose pixels were made, for whatever reason
        self.in_time = 0  # of those asked for: were begun ahead
        self.wasted = 0  # begun ahead, never asked for
        self._ahead: OrderedDict[Key, _Ahead] = OrderedDict()
        self._lock = threading.Lock()
        self._asked = ThreadPoolExecutor(threads, "pixels")
        # Only what is being made is the executor's: Python ends when all that was given to one is
        # done, and who interrupts a search is not to wait for what nobody will look at.
        self._workers = max(1, threads // 2)
        self._foreseen = ThreadPoolExecutor(self._workers, "pixels-ahead")
        self._waiting: deque[_Ahead] = deque()  # for one of them; those cancelled are still there
        self._working = 0

    def ahead(self, patches: Sequence[Patch]) -> None:
        """Begin with patches that may be asked for, the likeliest first; returns at once."""
        with self._lock:
            for patch in patches[: self.most_ahead]:
                key = _key(patch)
                if key not in self._ahead:
                    self._ahead[key] = _Ahead(patch, Future())
                    self._waiting.append(self._ahead[key])
                    if self._working < self._workers and self._begin_ahead():
                        self._working += 1
                self._ahead.move_to_end(key)
            self._trim()

    def get(self, patches: Sequence[Patch]) -> list[np.ndarray]:
        """The pixels of each patch, the same object for the same region of the same image.

        Raises:
            Exception: what preparing one of them raised. Those of the others are kept, as far as
                `most_ahead` allows, so that asking for one at a time fails for that one alone.
        """
        with self._lock:
            futures: dict[Key, _Ahead] = {}
            for patch in patches:
                key = _key(patch)
                if key not in futures:
                    futures[key] = self._begun(key) or _Ahead(
                        patch, self._asked.submit(self._make, patch), foreseen=False
                    )
        try:
            errors = [each.future.exception() for each in futures.values()]
        except BaseException:  # an interrupt
            for each in futures.values():
                each.future.cancel()
            raise
        error = next((error for error in errors if error is not None), None)
        with self._lock:
            if error is not None:
                for (key, each), failed in zip(futures.items(), errors, strict=True):
                    if failed is None:
                        self._ahead[key] = each
                self._trim()
                raise error
            self.in_time += sum(each.foreseen for each in futures.values())
        return [futures[_key(patch)].future.result() for patch in patches]

    def forget(self, image: Image) -> None:
        """Drop whatever was made or is to be made of an image."""
        with self._lock:
            for key in [key for key in self._ahead if key[0] == id(image)]:
                self._drop(key)

    def close(self) -> None:
        """Drop everything and end the threads."""
        with self._lock:
            for key in list(self._ahead):
                self._drop(key)
        for pool in (self._asked, self._foreseen):
            pool.shutdown(cancel_futures=True)

    def _make(self, patch: Patch) -> np.ndarray:
        pixels = self.prepare(patch)
        with self._lock:
            self.made += 1
        return pixels

    def _work_ahead(self) -> None:
        """Make what has waited longest; the next is a task of its own."""
        with self._lock:
            while self._waiting:
                ahead = self._waiting.popleft()
                if ahead.future.set_running_or_notify_cancel():
                    break
            else:
                self._working -= 1
                return
        try:
            ahead.future.set_result(self._make(ahead.patch))
        except BaseException as error:
            ahead.future.set_exception(error)
        if not self._begin_ahead():
            with self._lock:
                self._working -= 1

    def _begin_ahead(self) -> bool:
        try:
            self._foreseen.submit(self._work_ahead)
        except RuntimeError:  # closed, or Python ends: nobody will ask for it
            return False
        return True

    def _begun(self, key: Key) -> _Ahead | None:
        """What was begun ahead; None if nothing was, or it still waits for its turn."""
        ahead = self._ahead.pop(key, None)
        return None if ahead is None or ahead.future.cancel() else ahead

    def _trim(self) -> None:
        while len(self._ahead) > self.most_ahead:
            self._drop(next(iter(self._ahead)))

    def _drop(self, key: Key) -> None:
        ahead = self._ahead.pop(key)
        if not ahead.future.cancel():
            self.wasted += ahead.foreseen


def _key(patch: Patch) -> Key:
    return id(patch.image), patch.box.as_ints()
