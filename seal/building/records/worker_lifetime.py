"""Workers do not outlive a build that was killed: nobody would ever give them work or end them."""

from __future__ import annotations

import os
import threading
import time

_EVERY = 2.0  # seconds


def end_with_parent() -> None:
    """End this process soon after the one that started it, however that one ended.

    A killed parent tells its workers nothing, and the pipe that they wait at stays open: each of
    them holds an end of it.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_EVERY)
        os._exit(1)

    threading.Thread(target=watch, name="end with parent", daemon=True).start()
