"""An evaluation killed at any moment, a second one started meanwhile, ends as if undisturbed."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from killed import finish, kill_and_disturb, start
from PIL import Image

from seal.files.lock import LOCK_FILE, WriterLock
from seal.version import PACKAGE

KILLS = 6
QUESTIONS = 100


def write_benchmark(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(QUESTIONS):
        path = folder / "direct_attributes" / f"{number:03d}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((320, 240)).save(path.with_suffix(".png"))
        annotation = {
            "target_object": ["boat"],
            "bbox": [[10 + number, 20, 30, 30]],
            "question": f"What is the color of the boat number {number}?",
            "options": ["red", "blue", "green"],
        }
        path.write_text(json.dumps(annotation))


def answers(folder: Path) -> list[dict[str, Any]]:
    """The lines as they stand, without seconds."""
    lines = [json.loads(line) for line in (folder / "predictions.jsonl").open()]
    for line in lines:
        line["answer"]["cost"].pop("seconds")
        for search in line["answer"]["searches"]:
            search.pop("seconds", None)
    return lines


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_kills_and_a_second_process_change_no_answer(tmp_path: Path) -> None:
    write_benchmark(tmp_path / "bench")
    assets = PACKAGE / "miniature" / "assets"
    arguments = [
        "eval/benchmark", "task=vstar_bench", "benchmark=bench", f"vqa={assets / 'vqa_base'}",
        "systems=[none,oracle_crop,random_crop,crop_black]", "control_of=oracle", "batch=2",
        "device=cpu",
    ]  # fmt: skip
    first = start([*arguments, "out=whole"], tmp_path)
    while first.poll() is None and not (tmp_path / "whole" / LOCK_FILE).exists():
        time.sleep(0.01)
    begun = time.monotonic()
    assert finish(first)[0] == 0
    seconds = time.monotonic() - begun
    whole = answers(tmp_path / "whole")
    assert len(whole) == 4 * QUESTIONS
    rng = np.random.default_rng(1)
    for number in range(KILLS):
        out = tmp_path / f"killed{number}"
        command = [*arguments, f"out={out.name}"]
        outcome = kill_and_disturb(command, tmp_path, out / LOCK_FILE, rng, longest=0.8 * seconds)
        if outcome == "refused":  # the second came before the first was killed
            code, said = finish(start(command, tmp_path))
            assert code == 0, said[-2000:]
        assert answers(out) == whole
        assert not (out / LOCK_FILE).exists()
    with WriterLock(tmp_path / "held", "evaluation"):
        code, said = finish(start([*arguments, "out=held"], tmp_path))
    assert code == 2 and "writes there (process" in said.strip().splitlines()[-1]
