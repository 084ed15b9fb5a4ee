"""eval/vicrop_speed as it is called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tiny_families
from programs_here import ROOT, run_program

from seal.evaluation.vicrop_speed import run
from seal.evaluation.vicrop_speed.config import ViCropSpeedConfig
from seal.evaluation.vicrop_speed.piece import measure_piece
from seal.schema import compose


def test_the_programs_defaults_are_those_of_its_dataclass() -> None:
    config = compose(ROOT / "conf", "eval_vicrop_speed", ViCropSpeedConfig, [])
    assert config == ViCropSpeedConfig()


@pytest.mark.parametrize("vqa", ["seal", "qwen2_5_vl"])
def test_ratios_are_measured_and_told(
    vqa: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "launch_piece", measure_piece)  # in this process: seconds less
    model = vqa if vqa == "seal" else tiny_families.folder(vqa)
    overrides = [
        f"vqa={model}", "size=miniature", "device=cpu", "batch=2", "answer_tokens=3", "repeats=1",
        "image_size=[120,90]", f"out={tmp_path}",
    ]  # fmt: skip
    assert run_program("eval/vicrop_speed", *overrides) == 0
    told = capsys.readouterr().out
    assert "at batch 2, 3 tokens an answer" in told and f"written: {tmp_path}" in told
    written = json.loads((tmp_path / "vicrop_speed.json").read_text())
    seconds = written["pieces"]["seconds"]["seconds"]
    ratios = written["ratios"]
    assert ratios["time_map_over_forward"] == pytest.approx(seconds["map"] / seconds["forward"])
    peaks = {piece: written["pieces"][piece]["peak"] for piece in ("map", "forward")}
    assert ratios["memory_map_over_forward"] == pytest.approx(peaks["map"] / peaks["forward"])
    for piece in peaks:
        assert peaks[piece] >= written["pieces"][piece]["before"] > 0
    assert written["settings"]["device"] == "cpu" and len(written["pieces"]["seconds"]["all"]) == 4


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("method=guess", "method='guess' is none of rel_att, grad_att, pure_grad"),
        ("size=8b", "size='8b'; known: 7b"),
        ("batch=0", "batch=0 must be at least 1"),
        ("dtype=int4", "dtype='int4' is none of float32"),
        ("weights=mine", "weights='mine' is none of random, stored"),
    ],
)
def test_a_wrong_value_is_one_line_and_exit_code_2(
    override: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_program("eval/vicrop_speed", override) == 2
    assert said in capsys.readouterr().err


def test_a_model_that_is_nowhere_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "launch_piece", measure_piece)
    assert run_program("eval/vicrop_speed", f"vqa={tmp_path}", "device=cpu") == 2
    assert f"vqa={tmp_path} is neither seal nor" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("config", "said"), [('{"model_class": "vqa"}', "is SEAL's own model"), (None, "is a server")]
)
def test_what_cannot_be_measured_so_is_told_with_the_way_out(
    config: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(run, "launch_piece", measure_piece)
    (tmp_path / "config.json").write_text(config or "{}")
    vqa = tmp_path if config else "http://127.0.0.1:1/v1#x"
    assert run_program("eval/vicrop_speed", f"vqa={vqa}", "device=cpu") == 2
    error = capsys.readouterr().err
    assert said in error and "vqa=seal size=7b" in error


@pytest.mark.slow
def test_a_map_costs_less_memory_and_time_than_it_may(tmp_path: Path) -> None:
    overrides = ["size=small", "device=cpu", "answer_tokens=40", "repeats=1", f"out={tmp_path}"]
    assert run_program("eval/vicrop_speed", *overrides) == 0
    ratios = json.loads((tmp_path / "vicrop_speed.json").read_text())["ratios"]
    assert ratios["memory_map_over_forward"] < run.LIMITS["memory"]
    assert ratios["time_map_and_plain_answer_over_answer"] < run.LIMITS["time"]
