"""Run a program of train/ eval/ data_builders/ in this process: seconds less than a new one."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run_program(name: str, *overrides: str) -> int:
    """Its exit code. `name` as in `train/vqa`."""
    path = ROOT / f"{name}.py"
    before = sys.argv
    sys.argv = [str(path), *overrides]
    try:
        runpy.run_path(str(path), run_name="__main__")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    finally:
        sys.argv = before
    return 0
