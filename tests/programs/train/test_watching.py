"""What a run shows and keeps when it is asked to, from the command line to the exported model."""

from __future__ import annotations

import json

import torch
from programs_here import run_program

from seal.models.files.load import load_model
from seal.training.checkpoint import read_weights
from seal.training.log import read_metrics


def test_the_best_checkpoint_is_exported_and_the_log_is_in_tensorboard(tmp_path, capsys):
    torch.set_num_threads(1)
    options = ["experiment=vqa_align_linear_smoke", f"paths.runs={tmp_path}", "train.num_steps=3"]
    options += ["train.validate_every=1", "train.validation_samples=4", "train.keep=1"]
    options += ["train.best=-validation/loss", "train.tensorboard=true", "train.log_every=2"]
    assert run_program("train/vqa", *options) == 0
    run = tmp_path / "vqa_align_linear_smoke"
    lines = read_metrics(run / "metrics.jsonl")
    curve = {x["step"]: x["validation/loss"] for x in lines if "validation/loss" in x}
    best = min((step for step in curve if step), key=lambda step: curve[step])
    stored = json.loads((run / "checkpoints" / "best").read_text())
    assert stored["name"] == f"step-{best:08d}" and stored["value"] == curve[best]
    assert list((run / "tensorboard").glob("events.out.tfevents.*"))
    trained = [line for line in lines if "loss" in line]
    assert all(0 <= line["padding"] < 1 and line["imbalance"] == 1 for line in trained)
    out = tmp_path / "best"
    assert run_program("train/export", f"run={run}", "checkpoint=best", f"out={out}") == 0
    assert stored["name"] in capsys.readouterr().out
    model = load_model(out)
    for name, value in read_weights(run / "checkpoints" / stored["name"]).items():
        assert torch.equal(model.state_dict()[name], value)


def test_a_best_checkpoint_without_validations_is_refused_in_one_line(tmp_path, capsys):
    options = ["experiment=vqa_align_linear_smoke", f"paths.runs={tmp_path}"]
    options += ["train.best=validation/loss", "train.validate_every=0"]
    assert run_program("train/vqa", *options) == 2
    error = capsys.readouterr().err
    assert "set train.validate_every and train.validation_samples" in error
    assert error.count("\n") == 1
