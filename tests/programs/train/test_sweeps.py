"""A sweep for real: processes of their own, one run that fails, and the summary."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from programs_here import ROOT, run_program


@pytest.mark.slow
def test_a_sweep_trains_every_run_and_the_summary_names_the_one_that_failed(tmp_path):
    words = ["experiment=vsm_smoke", "train.num_steps=2", "lora.rank=2,4", f"paths.runs={tmp_path}"]
    words += ["train.learning_rate=1e-3,1e30", "train.gradient_clipping=0", "deepspeed=zero0"]
    words += ["run_name=sweep/lr${train.learning_rate}_r${lora.rank}", "hydra/launcher=local"]
    done = subprocess.run(
        [sys.executable, "-m", "seal", "train/vsm", "-m", *words, "hydra.sweeper.max_batch_size=2"],
        cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
        timeout=280,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("vsm: 2 of the runs failed, the others are done")
    out = tmp_path / "report"
    report = (f"folder={tmp_path / 'sweep'}", f"out={out}", "metric=validation/loss")
    assert run_program("train/sweep", *report) == 0
    sweep = json.loads((out / "sweep.json").read_text())
    assert sorted(sweep["keys"]) == ["lora.rank", "train.learning_rate"]
    states = {
        (run["settings"]["train.learning_rate"], run["settings"]["lora.rank"]): run["state"]
        for run in sweep["runs"]
    }
    assert states[1e-3, 2] == states[1e-3, 4] == "finished"
    assert all("not finite" in states[1e30, rank] for rank in (2, 4))
