"""What one worker makes of photos."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch

from seal.training.throughput.loader import RESULT, loader_line, measure_loader


def test_a_sample_of_640_x_480_with_three_masks_takes_at_most_3_mb(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    try:
        rate = measure_loader(tmp_path, samples=8, seed=0)
    finally:
        torch.set_num_threads(threads)
    # Both models' pixels as bytes are in it.
    assert 3 * (224**2 + 768**2) < rate.bytes_per_sample <= 3e6
    assert rate.samples_per_second > 0
    assert json.loads((tmp_path / RESULT).read_text()) == asdict(rate)
    assert "MB a sample" in loader_line(rate)
