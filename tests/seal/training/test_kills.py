"""A training killed at any moment, with another one started meanwhile, ends as if undisturbed."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from killed import finish, kill_and_disturb, start

from seal.files.lock import LOCK_FILE
from seal.training.stop import STOP_FILE

KILLS = 20
STOPS = 9
PROGRAM = [
    "train/vsm", "experiment=vsm_smoke", "train.num_steps=60", "train.save_every=2",
    "train.log_every=1",
]  # fmt: skip


def weights(run: Path) -> str:
    return hashlib.sha256((run / "model" / "model.safetensors").read_bytes()).hexdigest()


def losses(run: Path) -> list[tuple[int, Any]]:
    log = run / "metrics.jsonl"
    lines = [json.loads(line) for line in log.open()] if log.exists() else []
    return [(line["step"], line["loss"]) for line in lines if "loss" in line]


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_kills_and_a_second_process_change_no_weight(tmp_path: Path) -> None:
    assert finish(start([*PROGRAM, "run_name=whole"], tmp_path))[0] == 0
    whole = tmp_path / "runs" / "whole"
    rng = np.random.default_rng(2)
    run = tmp_path / "runs" / "killed"
    ends = []
    for number in range(KILLS):
        ends.append(
            kill_and_disturb(
                [*PROGRAM, "run_name=killed"],
                tmp_path,
                run / LOCK_FILE,
                rng,
                longest=4 if number % 4 == 0 else 12,
                meet=number % 4 == 0,
            )
        )
        if ends[-1] == "done" or number % 4 == 3:
            code, said = finish(start([*PROGRAM, "run_name=killed"], tmp_path))
            assert code == 0, said[-2000:]
            assert weights(run) == weights(whole) and losses(run) == losses(whole)
            shutil.rmtree(run)
    assert len(ends) == KILLS and "refused" in ends


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_signals_and_stop_files_at_drawn_moments_change_no_weight(tmp_path: Path) -> None:
    assert finish(start([*PROGRAM, "run_name=whole"], tmp_path))[0] == 0
    whole = tmp_path / "runs" / "whole"
    rng = np.random.default_rng(3)
    run = tmp_path / "runs" / "stopped"
    stops = 0
    for number in range(STOPS):
        process = start([*PROGRAM, "run_name=stopped"], tmp_path)
        while process.poll() is None and not (run / LOCK_FILE).exists():
            time.sleep(0.01)
        time.sleep(float(rng.uniform(0, 6)))
        kind = ("SIGTERM", STOP_FILE, "SIGUSR1")[number % 3]
        if kind == STOP_FILE:
            (run / STOP_FILE).touch()
        else:
            process.send_signal(signal.Signals[kind])
        code, said = finish(process)
        # Before it notes signals there is nothing to lose, and after the last step it is done.
        early = kind != STOP_FILE and code == -signal.Signals[kind]
        assert early or code == 0, said[-2000:]
        stops += f"after step {steps(run)}: " in said and "stopped by" in said
        (run / STOP_FILE).unlink(missing_ok=True)  # it was too late for this start
        if (run / "model").exists() or number == STOPS - 1:
            code, said = finish(start([*PROGRAM, "run_name=stopped"], tmp_path))
            assert code == 0, said[-2000:]
            assert weights(run) == weights(whole) and losses(run) == losses(whole)
            shutil.rmtree(run)
    assert stops >= STOPS // 3


def steps(run: Path) -> int:
    return max((step for step, _ in losses(run)), default=0)
