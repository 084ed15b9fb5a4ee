from __future__ import annotations

from pathlib import Path

import pytest
from programs_here import run_program
from record_sets import text_record, write_set


def test_a_sound_set_is_tabled_and_the_exit_code_is_zero(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_set(tmp_path / "gqa" / "train", [text_record("a")])
    assert run_program("data_builders/check", f"records={tmp_path}") == 0
    said = capsys.readouterr().out
    assert "gqa/train" in said and "70,000  short  0" in said
    assert run_program("data_builders/check", f"records={tmp_path}", "counts=true") == 1
    assert "gqa/train is short" in capsys.readouterr().err


def test_a_problem_is_named_by_file_and_line_and_the_exit_code_is_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sets = [tmp_path / name for name in ("a", "b")]
    for folder in sets:
        write_set(folder, [text_record("a"), text_record("b")])
    (shard,) = sets[1].glob("records-*.jsonl")
    shard.write_bytes(shard.read_bytes().replace(b'"id":"b"', b'"id":"a"'))
    named = f"records=[{','.join(map(str, sets))}]"
    assert run_program("data_builders/check", named) == 1
    said = capsys.readouterr()
    assert "1 id occurs twice" in said.out and f"{shard}:2: id occurs twice" in said.out
    assert "2 problems in 1 of 2 sets" in said.err.splitlines()[-1]


def test_a_folder_without_sets_is_a_wrong_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_program("data_builders/check", f"records={tmp_path}") == 2
    assert "no record set" in capsys.readouterr().err
