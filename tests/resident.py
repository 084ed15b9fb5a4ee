"""How much memory this process has, and the most it had for a while."""

from __future__ import annotations

import threading
import time
from pathlib import Path


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


class Watch:
    """The largest resident size while it watches."""

    def __init__(self) -> None:
        self.peak = resident()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._end.is_set():
            self.peak = max(self.peak, resident())
            time.sleep(0.002)

    def stop(self) -> int:
        self._end.set()
        self._thread.join()
        return self.peak
