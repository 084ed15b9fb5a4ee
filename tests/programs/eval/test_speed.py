"""eval/speed as it is called."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest
from programs_here import ROOT, run_program

from seal.evaluation.speed import run
from seal.evaluation.speed.config import SpeedConfig
from seal.evaluation.speed.piece import run_piece
from seal.schema import compose


def test_the_programs_defaults_are_those_of_its_dataclass() -> None:
    assert compose(ROOT / "conf", "eval_speed", SpeedConfig, []) == SpeedConfig()


def test_every_key_can_be_set_on_the_command_line() -> None:
    # Hydra takes a key that is called as a folder of conf/ for a choice of one of its files.
    assert not [each.name for each in fields(SpeedConfig) if (ROOT / "conf" / each.name).is_dir()]
    told = compose(ROOT / "conf", "eval_speed", SpeedConfig, ["ways=[plain,all]", "batches=[1]"])
    assert told == SpeedConfig(ways=["plain", "all"], batches=[1])


def test_the_miniature_is_measured_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "launch_piece", run_piece)  # in this process: seconds less
    overrides = [
        "size=miniature", "device=cpu", "precisions=[fp32,nf4]", "questions=1", "warmup=0",
        "image_size=[640,480]", "ways=[]", f"out={tmp_path}",
    ]  # fmt: skip
    assert run_program("eval/speed", *overrides) == 0
    told = capsys.readouterr().out
    assert "| fp32" in told and "| nf4" in told and f"written: {tmp_path}" in told
    assert list(json.loads((tmp_path / "speed.json").read_text())["pieces"]) == ["fp32", "nf4"]


def test_a_wrong_value_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program("eval/speed", "precisions=[fp8]") == 2
    assert "no 'fp8'; known: fp32, bf16, int8, nf4" in capsys.readouterr().err
