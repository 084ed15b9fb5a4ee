"""What the searches that are compared look for: a benchmark's questions, or a script's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np
from PIL import Image

from seal.evaluation.speed.config import SpeedConfig
from seal.evaluation.speed.script import TARGETS, search_lengths
from seal.search.locator import LocateRequest


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: the targets that are searched for it, in one image, which is open."""

    id: str
    image: Image.Image
    targets: tuple[str, ...]
    lengths: tuple[int, ...] = ()  # visits that the script makes of each; () of a benchmark

    def requests(self) -> list[LocateRequest]:
        return [
            LocateRequest(self.image, target, num_targets=len(self.targets))
            for target in self.targets
        ]


def asked_questions(config: SpeedConfig, batches: Sequence[int]) -> list[Asked]:
    """Those of the benchmark, or as many scripted ones as the largest batch needs.

    Raises:
        ValueError: the folder is no benchmark of V*Bench's form, or an image cannot be read.
    """
    if config.benchmark is not None:
        return _of_benchmark(Path(config.benchmark), config.limit)
    width, height = config.searched_image_size
    made = []
    rounds = cycle(search_lengths(config.questions))
    for number, lengths in zip(range(scripted_count(config, max(batches))), rounds, strict=False):
        rng = np.random.default_rng((config.seed, number))
        image = Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))
        made.append(Asked(str(number), image, TARGETS, lengths))
    return made


def scripted_count(config: SpeedConfig, batch: int) -> int:
    """Questions that fill a batch twice over, in whole rounds: the mean stays that of the first.

    A question is two searches.
    """
    return config.questions * max(1, math.ceil(batch / config.questions))


def _of_benchmark(folder: Path, limit: int | None) -> list[Asked]:
    """Spread evenly over its questions."""
    from seal.evaluation.tasks.vstar_bench import read

    questions, images = read(folder)
    with_targets = [q for q in questions if q.image is not None and q.targets]
    if limit is not None and limit < len(with_targets):
        places = np.linspace(0, len(with_targets) - 1, limit).round().astype(int)
        with_targets = [with_targets[place] for place in places]
    return [
        Asked(q.id, images.open(str(q.image)), tuple(dict.fromkeys(t.name for t in q.targets)))
        for q in with_targets
    ]
