"""A build killed at any moment, with another one started meanwhile, ends as if undisturbed."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from coco_files import annotation, write_coco
from killed import finish, kill_and_disturb, start

from seal.files.lock import LOCK_FILE

KILLS = 20
ITEMS = 9_000
THEIRS = ("film.mkv.partial", "records-of-the-lab.jsonl", "records-2023-of-2024.jsonl")


def contents(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.name not in THEIRS
    }


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("workers", [0, 2])
def test_kills_and_a_second_process_change_no_byte(tmp_path: Path, workers: int) -> None:
    things = [annotation(i, 1 + i % 5, [10, 5, 9 + i % 7, 9]) for i in range(ITEMS)]
    write_coco(tmp_path, things, ITEMS)
    arguments = [
        "data_builders/coco", "annotations=coco.json", "images=.", f"workers={workers}",
        "records_per_shard=1000", "report_samples=2",
    ]  # fmt: skip
    # Of one name, for the report says it.
    assert finish(start([*arguments, "out=whole/set"], tmp_path))[0] == 0
    whole = contents(tmp_path / "whole" / "set")
    assert len(whole) == ITEMS // 1000 + 2
    rng = np.random.default_rng(workers)
    out = tmp_path / "killed" / "set"
    ends = []
    for number in range(KILLS // 2):
        out.mkdir(parents=True, exist_ok=True)
        for name in THEIRS:
            (out / name).write_text(name)
        outcome = kill_and_disturb(
            [*arguments, "out=killed/set"], tmp_path, out / LOCK_FILE, rng, longest=6
        )
        ends.append(outcome)
        if outcome == "done" or number % 3 == 2:
            code, said = finish(start([*arguments, "out=killed/set"], tmp_path))
            assert code == 0 or "already holds a record set" in said, said[-2000:]
            assert contents(out) == whole
            assert [(out / name).read_text() for name in THEIRS] == list(THEIRS)
            shutil.rmtree(out)
    assert len(ends) == KILLS // 2
