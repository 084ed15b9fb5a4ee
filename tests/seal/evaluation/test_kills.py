"""An evaluation killed at any moment, a second one started meanwhile, ends as if undisturbed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from killed import finish, kill_and_disturb, start
from PIL import Image

from seal.files.lock import LOCK_FILE
from seal.version import PACKAGE

KILLS = 16
QUESTIONS = 30


def write_benchmark(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(QUESTIONS):
        path = folder / "direct_attributes" / f"{number:02d}.json"
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
    assert finish(start([*arguments, "out=whole"], tmp_path))[0] == 0
    whole = answers(tmp_path / "whole")
    assert len(whole) == 4 * QUESTIONS
    rng = np.random.default_rng(1)
    ends = []
    for number in range(KILLS):
        out = tmp_path / f"killed{number // 4}"  # four kills of one run, then another
        outcome = kill_and_disturb(
            [*arguments, f"out={out.name}"], tmp_path, out / LOCK_FILE, rng, longest=4
        )
        ends.append(outcome)
        if number % 4 == 3:
            code, said = finish(start([*arguments, f"out={out.name}"], tmp_path))
            assert code == 0, said[-2000:]
            assert answers(out) == whole
            assert not (out / LOCK_FILE).exists()
            shutil.rmtree(out)
    assert len(ends) == KILLS and "refused" in ends
