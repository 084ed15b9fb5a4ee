"""A training killed at any moment, with another one started meanwhile, ends as if undisturbed."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from killed import finish, kill_and_disturb, start

from seal.files.lock import LOCK_FILE

KILLS = 16
PROGRAM = [
    "train/vsm", "experiment=vsm_smoke", "train.num_steps=16", "train.save_every=2",
    "train.log_every=1",
]  # fmt: skip


def weights(run: Path) -> str:
    return hashlib.sha256((run / "model" / "model.safetensors").read_bytes()).hexdigest()


def losses(run: Path) -> list[tuple[int, Any]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").open()]
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
