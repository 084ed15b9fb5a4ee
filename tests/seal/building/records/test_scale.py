"""Objects365's size: time, memory and bytes of a build of two million images.

    SEAL_FULL_SCALE=1 pytest -m slow tests/seal/building/test_scale.py --timeout 7200

needs 10 GB of disk and about an hour of two cores; without the variable it is a twentieth of that.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

ROOT = Path(__file__).parents[4]
FULL = os.environ.get("SEAL_FULL_SCALE") == "1"
NUM_IMAGES = 2_000_000 if FULL else 100_000
NUM_BOXES = 25_000_000 if FULL else 1_250_000
LIMIT = 2 << 30 if FULL else 400 << 20  # bytes of the whole build
BLOCK = 50_000


def write_source(path: Path) -> None:
    """Objects365 in everything but the photos; the boxes of an image lie all over the file."""
    rng = np.random.default_rng(0)
    with path.open("w") as file:
        file.write('{"images": [')
        for i in range(NUM_IMAGES):
            name = f"images/v{1 + i % 2}/patch{i % 51}/objects365_v{1 + i % 2}_{i:08d}.jpg"
            file.write(", " if i else "")
            file.write(f'{{"id": {i + 1}, "file_name": "{name}", "width": 800, "height": 600}}')
        file.write('], "annotations": [')
        for begin in range(0, NUM_BOXES, BLOCK):
            num = min(BLOCK, NUM_BOXES - begin)
            image = rng.integers(1, NUM_IMAGES + 1, num).tolist()
            category = rng.integers(1, 366, num).tolist()
            boxes = (rng.random((num, 4)) * (600, 400, 199, 199) + (0, 0, 1, 1)).tolist()
            entries = (
                f'{{"id": {begin + i}, "iscrowd": 0, "isfake": 0, "image_id": {image[i]}, '
                f'"category_id": {category[i]}, "bbox": [{x:.8f}, {y:.8f}, {w:.8f}, {h:.8f}]}}'
                for i, (x, y, w, h) in enumerate(boxes)
            )
            file.write(", " if begin else "")
            file.write(", ".join(entries))
        names = ", ".join(f'{{"id": {c}, "name": "Thing {c}/Object {c}"}}' for c in range(1, 366))
        file.write(f'], "categories": [{names}]}}')


def build(source: Path, out: Path, workers: int) -> tuple[int, float]:
    """Peak bytes of the program with its workers, and its seconds."""
    program = [sys.executable, "-m", "seal", "data_builders/objects365", f"annotations={source}"]
    settings = [f"images={source.parent}", "check_images=false", f"out={out}", f"workers={workers}"]
    begin = time.monotonic()
    with (source.parent / "log").open("w") as log:
        process = subprocess.Popen([*program, *settings], cwd=ROOT, stdout=log, stderr=log)
        peaks = [0]
        watcher = threading.Thread(target=watch, args=(process.pid, peaks))
        watcher.start()
        code = process.wait()
        watcher.join()
    assert code == 0, (source.parent / "log").read_text()[-2000:]
    return peaks[0], time.monotonic() - begin


def watch(pid: int, peaks: list[int]) -> None:
    """What the program holds, and what each worker holds beside that."""
    try:
        program = psutil.Process(pid)
        while program.status() != psutil.STATUS_ZOMBIE:
            held = program.memory_info().rss
            for worker in program.children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    held += worker.memory_full_info().uss
            peaks[0] = max(peaks[0], held)
            time.sleep(0.2)
    except psutil.NoSuchProcess:
        return


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_memory_is_bounded_and_the_bytes_do_not_depend_on_the_workers(tmp_path: Path) -> None:
    source = tmp_path / "objects365.json"
    write_source(source)
    sums = []
    for workers in (0, 2):
        out = tmp_path / "set"
        peak, seconds = build(source, out, workers)
        print(f"workers={workers}: {seconds:.0f} s, {peak / 2**20:.0f} MiB")
        assert peak < LIMIT
        sums.append({p.name: hashlib.sha256(p.read_bytes()).digest() for p in out.iterdir()})
        for path in out.iterdir():
            path.unlink()
    assert sums[0] == sums[1] and len(sums[0]) == NUM_IMAGES // 10_000 + 2
