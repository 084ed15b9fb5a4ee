from __future__ import annotations

from pathlib import Path

import pytest
from programs_here import run_program

from seal.building.sources.catalog import SOURCES


def test_what_is_missing_is_listed_and_the_exit_code_is_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_program("data_builders/sources", f"out={tmp_path}", "only=[vaw]") == 1
    said = capsys.readouterr()
    assert f"{tmp_path}/vaw/train_part1.json" in said.out and "terms" in said.out
    assert said.err.count("\n") == 1 and "3 of 3 items are missing" in said.err


def test_what_is_there_is_found_and_the_exit_code_is_zero(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (vaw,) = [source for source in SOURCES if source.name == "vaw"]
    for item in vaw.items:
        path = tmp_path / item.layouts[-1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("[]")
    assert run_program("data_builders/sources", f"out={tmp_path}", "only=[vaw]") == 0
    assert capsys.readouterr().out.count("present") == 3


def test_an_unknown_name_is_a_wrong_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_program("data_builders/sources", f"out={tmp_path}", "only=[cocos]") == 2
    assert "names no source" in capsys.readouterr().err
