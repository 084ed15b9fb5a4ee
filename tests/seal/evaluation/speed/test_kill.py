"""A run of real processes that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from seal.evaluation.speed.config import SpeedConfig
from seal.evaluation.speed.piece import piece_path, run_piece
from seal.evaluation.speed.run import measure


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_killed_run_takes_its_piece_along_and_keeps_what_was_finished(tmp_path: Path) -> None:
    values: dict[str, Any] = {
        "size": "miniature", "device": "cpu", "warmup": 0, "image_size": [640, 480],
        "out": str(tmp_path), "questions": 1, "ways": [],
    }  # fmt: skip
    first = SpeedConfig(precisions=["fp32"], **values)
    measure(first, run_piece)
    finished = piece_path(first, "fp32")
    # As if it had been asked as many questions as the second, which would take minutes.
    kept = json.loads(finished.read_text("utf-8"))
    kept["settings"]["questions"] = values["questions"] = 500
    finished.write_text(json.dumps(kept), "utf-8")
    told = [f"{key}={json.dumps(value)}" for key, value in values.items()]
    run = subprocess.Popen(
        [sys.executable, "-m", "seal.evaluation.speed", "precisions=[fp32,nf4]", *told],
        stdout=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())},  # settings, too
    )  # fmt: skip
    assert run.stdout is not None
    told = [run.stdout.readline(), run.stdout.readline()]
    assert "in fp32: measured before" in told[0] and "in nf4 on" in told[1], told
    children = _children(run.pid)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert children
    end = time.monotonic() + 30
    while any(_alive(child) for child in children):
        assert time.monotonic() < end, "the piece goes on without its run"
        time.sleep(0.1)
    assert json.loads(finished.read_text("utf-8")) == kept
    assert list(finished.parent.iterdir()) == [finished]


def _children(pid: int) -> list[int]:
    import psutil

    end = time.monotonic() + 30
    while time.monotonic() < end:
        found = [child.pid for child in psutil.Process(pid).children()]
        if found:
            return found
        time.sleep(0.05)
    return []


def _alive(pid: int) -> bool:
    import psutil

    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
