"""The doctor says what is installed and which models fit."""

from __future__ import annotations

import re

from seal.cli import main


def test_doctor_lists_versions_and_memory_that_falls_with_precision(capsys):
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"^  torch +\d", text, re.M)
    (line,) = [line for line in text.splitlines() if line.startswith("  7b")]
    bf16, int8, nf4 = (float(x) for x in re.findall(r"(\d+\.\d\d) (?:yes|no)", line))
    assert 24 < bf16 < 32  # what two 7B models in half precision are known to need
    assert nf4 < int8 < 24
    (line,) = [line for line in text.splitlines() if line.startswith("  avg_7b")]
    alone, *_ = (float(x) for x in re.findall(r"(\d+\.\d\d) (?:yes|no)", line))
    assert 13.5 < alone < 24  # 7.2 billion parameters, and 2,976 positions for a picture
