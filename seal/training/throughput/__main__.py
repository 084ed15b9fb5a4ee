"""`python -m seal.training.throughput RECIPE`, the configuration as JSON on stdin: one piece.

Its figures are the last line on stdout.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time

from seal.training.throughput.config import ThroughputConfig
from seal.training.throughput.piece import measure_piece


def _end_with(parent: int) -> None:
    """Stop when the run that started this is gone, however it ended: nobody waits any more."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main(recipe: str, parent: str) -> int:
    """An error is the last line on stderr."""
    _end_with(int(parent))
    try:
        measured = measure_piece(ThroughputConfig.of(json.load(sys.stdin)), recipe)
    except Exception as error:
        if os.environ.get("SEAL_TRACEBACK") == "1":
            raise
        print(" ".join(str(error).split()) or type(error).__name__, file=sys.stderr)
        return 1
    print(f"\n{json.dumps(measured)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
