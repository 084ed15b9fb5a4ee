"""train/throughput as it is called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from programs_here import ROOT, run_program
from warm import run_together

from seal.schema import compose
from seal.training.throughput import run
from seal.training.throughput.config import ThroughputConfig
from seal.training.throughput.piece import measure_piece

SMALL = [
    "size=miniature", "deepspeed=zero0", "train.bf16=false", "train.workers=0",
    "train.global_batch_size=2", "train.micro_batch_size=1", "original_micro_batch_size=1",
    "warmup=0", "steps=1", "save=false",
]  # fmt: skip


@pytest.mark.parametrize(
    ("case", "name"),
    [
        ("vqa_full", "vqa_7b_full_16layers"),
        ("vqa_lora", "vqa_7b_lora16_16layers"),
        ("vqa_qlora", "vqa_7b_lora16_nf4_16layers"),
        ("vsm", "vsm_7b_lora8_16layers"),
    ],
)
def test_a_case_takes_the_recipe_of_its_program(case: str, name: str) -> None:
    overrides = [f"case={case}", "layers=16"]
    config = compose(ROOT / "conf", "train_throughput", ThroughputConfig, overrides)
    assert config.name == name
    assert config.model_config().llm.num_hidden_layers == 16
    paper = {"vqa": (128, 16, 16), "vsm": (64, 8, 4)}[config.program]
    train = config.train
    assert paper == (
        train.global_batch_size, train.micro_batch_size, config.original_micro_batch_size,
    )  # fmt: skip
    assert train.bf16 and train.gradient_checkpointing


def test_both_recipes_are_measured_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "launch_piece", measure_piece)  # in this process: seconds less
    assert run_program("train/throughput", "case=vqa_lora", *SMALL, f"out={tmp_path}") == 0
    told = capsys.readouterr().out
    assert "|     ours |" in told and "| original |" in told
    assert "ours is" in told and f"written: {tmp_path}" in told
    pieces = json.loads((tmp_path / "throughput.json").read_text())["pieces"]
    assert {piece["name"] for piece in pieces} == {"ours", "original"}


def test_two_processes_measure_one_recipe_after_the_other(tmp_path: Path) -> None:
    wanted = [*SMALL, "train.global_batch_size=4", "save=true", f"out={tmp_path}"]
    command = ("-m", "seal", "train/throughput", "case=vqa_lora", *wanted)
    said = run_together(2, *command, log=tmp_path / "log")
    assert said.count("written: ") == 1
    pieces = json.loads((tmp_path / "throughput.json").read_text())["pieces"]
    assert [(piece["name"], piece["world_size"]) for piece in pieces] == [
        ("original", 2), ("ours", 2),
    ]  # fmt: skip


def test_simulating_needs_no_model_and_writes_the_plan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overrides = ["simulate=true", "simulated_steps=10", f"out={tmp_path}"]
    assert run_program("train/throughput", *overrides) == 0
    assert "ours: useful" in capsys.readouterr().out
    plan = json.loads((tmp_path / "plan.json").read_text())
    assert {(program, ranks) for program in plan for ranks in plan[program]} == {
        ("vqa", "8"), ("vqa", "32"), ("vsm", "8"), ("vsm", "32"),
    }  # fmt: skip
    assert all(set(plan[p][r]) == {"useful", "padding"} for p in plan for r in plan[p])


def test_a_wrong_value_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program("train/throughput", "recipes=[theirs]") == 2
    assert "no 'theirs'; known: ours, original" in capsys.readouterr().err
