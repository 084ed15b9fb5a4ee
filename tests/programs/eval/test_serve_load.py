"""eval/serve_load as it is called, against a server of fakes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from programs_here import ROOT, run_program
from served import application, on_loopback
from vstar_folder import write_bench

from seal.schema import compose
from seal.serving.load.config import ServeLoadConfig


def test_the_programs_defaults_are_those_of_its_dataclass() -> None:
    config = compose(ROOT / "conf", "eval_serve_load", ServeLoadConfig, ["benchmark=x"])
    assert config == ServeLoadConfig(benchmark="x")


def test_both_ways_are_measured_and_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_bench(tmp_path / "bench")
    with application() as app, on_loopback(app) as address:
        overrides = [
            f"benchmark={folder}", f"address={address}", "limit=8", "concurrency=8",
            f"out={tmp_path}",
        ]  # fmt: skip
        assert run_program("eval/serve_load", *overrides) == 0
    told = capsys.readouterr().out
    assert "8 at a time" in told and "Lost: 0; refused: 0" in told and "8 of 8" in told
    written = json.loads((tmp_path / "serve_load.json").read_text())
    assert (written["equal"], written["lost"], written["refused"]) == (8, 0, 0)
    assert written["ratio"] == pytest.approx(
        written["alone"]["seconds"] / written["together"]["seconds"]
    )


def test_a_folder_that_is_no_benchmark_is_refused_before_a_server_is_started(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_program("eval/serve_load", f"benchmark={tmp_path}") == 2
    assert str(tmp_path) in capsys.readouterr().err
