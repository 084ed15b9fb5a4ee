"""A killed run of every kind of stage goes on: a projector alone, adapters, everything."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
import torch
from programs_here import run_program
from warm import start

from seal.training.checkpoint import read_weights
from seal.training.checkpoint_store import find_checkpoint
from seal.training.log import read_metrics

STEPS = 24
OPTIONS = [
    f"train.num_steps={STEPS}", "train.save_every=4", "train.validation_samples=0",
    "train.best=null",
]  # fmt: skip
STAGES = {
    "vqa_align_linear_smoke": {"image_projector"},
    "vqa_lora_smoke": {"llm", "image_projector", "object_projector"},
    "vqa_align_resampler_smoke": {"object_projector"},
    "vqa_instruct_smoke": {"llm", "image_projector", "object_projector"},
    "avg_granularity_smoke": {"llm", "vision_tower", "image_projector", "image_newline"},
    "avg_router_smoke": {"router"},
}
SLOW = (
    "vqa_align_resampler_smoke", "vqa_instruct_smoke", "avg_granularity_smoke", "avg_router_smoke",
)  # fmt: skip


def losses(run: Path) -> dict[int, tuple[float, float]]:
    lines = read_metrics(run / "metrics.jsonl") if (run / "metrics.jsonl").exists() else []
    return {line["step"]: (line["loss"], line["grad_norm"]) for line in lines}


def kill_after(step: int, program: list[str], run: Path) -> None:
    """Start it in a process of its own and end that, without notice, once `step` is logged."""
    process = start("-m", "seal", *program, log=run.parent / "log")
    while process.poll() is None and max(losses(run), default=0) < step:
        time.sleep(0.005)
    process.kill()
    assert process.wait(10) == -signal.SIGKILL, (run.parent / "log").read_text()[-3000:]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in STAGES]
)
def test_a_killed_stage_goes_on_bit_for_bit(name: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    program = ["train/vqa", f"experiment={name}", *OPTIONS]
    whole, killed = tmp_path / "whole" / name, tmp_path / "killed" / name
    assert run_program(*program, f"paths.runs={whole.parent}") == 0
    killed.parent.mkdir()
    program.append(f"paths.runs={killed.parent}")
    kill_after(6, program, killed)
    assert 6 <= max(losses(killed)) < STEPS
    assert run_program(*program) == 0
    assert losses(killed) == losses(whole) and len(losses(whole)) == STEPS
    ends = [find_checkpoint(run / "checkpoints") for run in (whole, killed)]
    weights, again = (read_weights(end) for end in ends if end is not None)
    assert {key.split(".")[0] for key in weights} == STAGES[name]
    assert any(".lora_" in key for key in weights) == ("lora" in name)
    assert all(torch.equal(again[key], value) for key, value in weights.items())
    exported = [(run / "model" / "model.safetensors").read_bytes() for run in (whole, killed)]
    assert exported[0] == exported[1]
