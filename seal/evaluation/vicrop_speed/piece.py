"""One thing, measured in a process of its own: `python -m seal.evaluation.vicrop_speed.piece`.

Its peak of memory is then its own: nothing that an earlier pass left behind is used again.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from seal.evaluation.environment import environment
from seal.evaluation.speed.meter import AnonymousPeak, MemoryMeter
from seal.evaluation.vicrop_speed.config import ViCropSpeedConfig
from seal.evaluation.vicrop_speed.models import build_answer_model
from seal.failure import FailedError
from seal.inference.answers.protocol import AnswerModel
from seal.inference.vicrop.config import ViCropConfig
from seal.inference.vicrop.locator import ViCropLocator
from seal.search.locator import LocateRequest
from seal.working_memory import MemoryTarget, VisualWorkingMemory

QUESTION = "What color is the flag on the roof of the house behind the two trees?"
PIECES = ("forward", "map", "seconds")  # a plain forward's memory, a map's, and what takes how long


class _Work:
    """What is measured: the same questions read, looked at, and answered."""

    def __init__(self, config: ViCropSpeedConfig) -> None:
        self.config = config
        self.answers: AnswerModel = build_answer_model(config)
        vicrop = ViCropConfig(method=config.method, high_resolution="off")
        self.locator = ViCropLocator(self.answers, vicrop)
        self._drawn = 0

    def images(self) -> list[Image.Image]:
        """New ones, so that nothing is known of them."""
        width, height = self.config.image_size
        found = []
        for _ in range(self.config.batch):
            rng = np.random.default_rng((self.config.seed, self._drawn))
            self._drawn += 1
            found.append(Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)))
        return found

    def read(self, images: Sequence[Image.Image]) -> None:
        """A plain forward: the prompts, and the token behind each."""
        self.answers.generate(self._plain(images), max_new_tokens=1)

    def look(self, images: Sequence[Image.Image]) -> list[VisualWorkingMemory]:
        """The maps, and what is shown then: the image and its crop."""
        results = self.locator.locate([LocateRequest(image, "", QUESTION) for image in images])
        return [
            VisualWorkingMemory(QUESTION, image, (MemoryTarget("", tuple(result.boxes)),))
            for image, result in zip(images, results, strict=True)
        ]

    def answer(self, memories: Sequence[VisualWorkingMemory]) -> None:
        before = self.answers.cost.tokens_written
        self.answers.generate(memories, max_new_tokens=self.config.answer_tokens)
        written = self.answers.cost.tokens_written - before
        if written < len(memories) * self.config.answer_tokens:
            raise FailedError(
                f"answers ended after {written} of {len(memories) * self.config.answer_tokens} "
                "tokens, so times cannot be compared; take another seed"
            )

    def answer_plainly(self, images: Sequence[Image.Image]) -> None:
        self.answer(self._plain(images))

    def _plain(self, images: Sequence[Image.Image]) -> list[VisualWorkingMemory]:
        return [VisualWorkingMemory(QUESTION, image) for image in images]


def measure_piece(config: ViCropSpeedConfig, piece: str) -> dict[str, Any]:
    """Bytes, or seconds."""
    assert config.device is not None
    work = _Work(config)
    meter = MemoryMeter(config.device)
    if piece == "seconds":
        measured = _seconds(work, meter)
    else:
        measured = _peak(work, meter, work.read if piece == "forward" else work.look)
    return {**measured, "environment": environment(config.device)}


def _peak(work: _Work, meter: MemoryMeter, run: Callable[[Any], Any]) -> dict[str, Any]:
    """The most memory while `run` is at a batch of images.

    One image before it: what libraries take on their first use is no pass's own.
    """
    run(work.images()[:1])
    images = work.images()
    gc.collect()
    if meter.on_gpu:
        import torch

        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(meter.device)
        before = meter.now()
        run(images)
        meter.wait()
        return {"before": before, "peak": meter.peak()}
    _give_back()
    before = meter.now()
    with AnonymousPeak() as watched:
        run(images)
    if watched.grown is None:
        raise FailedError("this system does not tell a process's memory: measure on Linux or a GPU")
    return {"before": before, "peak": before + watched.grown}


def _seconds(work: _Work, meter: MemoryMeter) -> dict[str, Any]:
    """Medians; the things that are compared take turns, so that both have the same machine."""
    spent: dict[str, list[float]] = {}

    def timed(name: str, run: Callable[[Any], Any], given: Any) -> Any:
        meter.wait()
        started = time.perf_counter()
        made = run(given)
        meter.wait()
        spent.setdefault(name, []).append(time.perf_counter() - started)
        return made

    for turn in range(work.config.repeats + 1):
        timed("answer", work.answer_plainly, work.images())
        timed("forward", work.read, work.images())
        memories = timed("map", work.look, work.images())
        timed("answer_with_crop", work.answer, memories)
        if turn == 0:
            spent.clear()  # warming up
    return {"seconds": {name: median(times) for name, times in spent.items()}, "all": spent}


def _give_back() -> None:
    """Let the C library return what is free, so that what a pass needs shows."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        return  # not glibc: small pieces may be used again unseen


def main(arguments: list[str]) -> int:
    """PIECE CONFIG, the second as JSON; what was measured is the last line, an error one line."""
    piece, config = arguments
    try:
        print(json.dumps(measure_piece(ViCropSpeedConfig(**json.loads(config)), piece)))
    except Exception as error:
        if os.environ.get("SEAL_TRACEBACK") == "1":
            raise
        print(" ".join(str(error).split()) or type(error).__name__, file=sys.stderr)
        return 2 if isinstance(error, ValueError) else 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
