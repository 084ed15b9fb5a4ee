"""`make test` says how long is left, in one process and in several."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from time_left import is_due, progress


def test_the_rest_is_taken_to_need_as_long_a_test_as_what_is_done():
    said = "412 of 1381 tests done in 48 s, about 113 s left"
    assert progress(412, 1381, 48.0) == said


@pytest.mark.parametrize("total", [100, 101, 999, 1381])
def test_every_tenth_of_a_long_run_is_told_but_the_end(total):
    told = [done for done in range(1, total + 1) if is_due(done, total)]
    assert told == [-(-total * part // 10) for part in range(1, 10)]


def test_a_short_run_tells_nothing():
    assert not any(is_due(done, 99) for done in range(1, 100))


@pytest.mark.parametrize("processes", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_a_run_prints_nine_lines_and_passes(tmp_path, processes):
    (tmp_path / "test_many.py").write_text(
        "import pytest\n@pytest.mark.parametrize('i', range(120))\ndef test(i): pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "time_left", "--rootdir", ".", *processes],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    line = r"^\d+ of 120 tests done in \d+ s, about \d+ s left$"
    assert len(re.findall(line, done.stdout, re.MULTILINE)) == 9
