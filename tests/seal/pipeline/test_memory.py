"""What a search of a very large picture takes, and how many pictures many questions hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[3]


def search_peak(path, **environment):
    program = str(ROOT / "tests/search_peak.py")
    done = subprocess.run(
        [sys.executable, program, str(path)],
        env=dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1") | environment,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "most", "limit"),
    [((12_000, 9_000), 0.8e9, None), ((20_000, 15_000), 1.5e9, "300_000_000")],
)
def test_a_search_of_a_very_large_picture_takes_little_more_than_the_picture(
    size, most, limit, tmp_path
):
    path = tmp_path / "large.jpg"
    Image.linear_gradient("L").resize(size).convert("RGB").save(path)
    found = search_peak(path, **({} if limit is None else {"SEAL_MOST_PIXELS": limit}))
    assert found["visits"] > 20
    assert 4 * size[0] * size[1] < found["peak"] < most
