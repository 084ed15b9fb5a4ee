from __future__ import annotations

from pathlib import Path

import pytest
from programs_here import run_program
from record_sets import chat_record, write_set


def test_a_page_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_set(tmp_path / "set", [chat_record("a"), chat_record("b")])
    out = tmp_path / "page.html"
    options = [f"records={tmp_path}", f"out={out}", "count=1", "chat.crop_scale=1.5"]
    assert run_program("data_builders/preview", *options) == 0
    assert f"1 samples: {out}" in capsys.readouterr().out
    assert out.read_text().count("<h2") == 1
    assert run_program("data_builders/preview", *options, "chat.template=none") == 2
    assert "template='none'" in capsys.readouterr().err
