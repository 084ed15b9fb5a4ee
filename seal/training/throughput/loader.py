"""How fast one worker makes search-model samples from photos on disk, and how large they are."""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from seal.batch import Batch
from seal.data.collate import collate
from seal.data.grounding import GroundingConfig
from seal.data.masks import mask_to_rle
from seal.data.record_set import Expression, Record, RecordSet, RecordWriter
from seal.files.whole import write_whole
from seal.geometry import Box
from seal.models.presets import vsm_preset
from seal.text.conversation import VSM, conversation_text
from seal.text.prompts import locate_question
from seal.text.tokenize import Tokenizer
from seal.text.tokens import SEARCH_TOKENS, VisualSizes
from seal.text.train_tokenizer import train_tokenizer

WIDTH, HEIGHT = 640, 480  # pixels of a photo
NAMES = ("red mug", "small dog", "traffic light")
RECORDS = 64
MICRO_BATCH = 8
VOCABULARY = 300
RESULT = "loader.json"


@dataclass(frozen=True, slots=True)
class LoaderRate:
    """Of one worker."""

    samples_per_second: float
    samples_per_cpu_second: float  # what a machine without other work would reach
    bytes_per_sample: float  # that go to the device


def measure_loader(out: Path, *, samples: int, seed: int) -> LoaderRate:
    """Read `samples` records of three expressions, masks and boxes; write OUT/loader.json."""
    torch.set_num_threads(1)  # as in a worker
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        tokenizer = _tokenizer(folder / "tokenizer")
        _write_records(folder / "set", seed)
        sizes = vsm_preset("7b")
        source = GroundingConfig().build(
            RecordSet.open(folder / "set"),
            tokenizer,
            image_size=sizes.vision.image_size,
            detector_size=sizes.detector.image_size,
            sizes=VisualSizes(long=sizes.vision.num_tokens),
        )
        source[0]  # what is made once
        began, busy = time.perf_counter(), time.process_time()
        size = 0
        for start in range(0, samples, MICRO_BATCH):
            chosen = [source[(start + turn) % RECORDS] for turn in range(MICRO_BATCH)]
            size += batch_bytes(collate(chosen, pad_id=tokenizer.pad_id, pack=True))
        count = -(-samples // MICRO_BATCH) * MICRO_BATCH
        rate = LoaderRate(
            count / (time.perf_counter() - began),
            count / (time.process_time() - busy),
            size / count,
        )
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / RESULT, json.dumps(asdict(rate), indent=1) + "\n")
    return rate


def loader_line(rate: LoaderRate) -> str:
    """The figures in words."""
    return (
        f"one worker, photos of {WIDTH} x {HEIGHT}, {len(NAMES)} expressions with masks: "
        f"{rate.samples_per_second:.0f} samples/s ({rate.samples_per_cpu_second:.0f} per second "
        f"of CPU), {rate.bytes_per_sample / 1e6:.2f} MB a sample"
    )


def batch_bytes(batch: Batch) -> int:
    """Bytes of every tensor in a batch."""

    def size(value: Any) -> int:
        return value.nbytes if isinstance(value, torch.Tensor) else 0

    total = sum(size(getattr(batch, field.name)) for field in fields(batch))
    for target in batch.targets:
        total += size(target.boxes) + size(target.query)
        total += 0 if target.mask is None else size(target.mask.bits)
    return total


def _tokenizer(folder: Path) -> Tokenizer:
    texts = [conversation_text(VSM, [(locate_question(name), "Sure, .")]) for name in NAMES] * 4
    return train_tokenizer(texts, VOCABULARY, folder, SEARCH_TOKENS)


def _write_records(folder: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    images = folder / "images"
    images.mkdir(parents=True)
    with RecordWriter(folder, builder="loader", seed=seed, image_root="images") as writer:
        for index in range(RECORDS):
            # Smooth, as photos are: noise would take JPEG many times as long.
            coarse = rng.integers(0, 256, (HEIGHT // 16, WIDTH // 16, 3), np.uint8)
            photo = Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
            photo.save(images / f"{index}.jpg", quality=90)
            expressions = []
            for name in NAMES:
                x, y = int(rng.integers(WIDTH - 200)), int(rng.integers(HEIGHT - 150))
                mask = np.zeros((HEIGHT, WIDTH), np.uint8)
                mask[y : y + 150, x : x + 200] = 1
                box = Box(x, y, x + 200, y + 150)
                expressions.append(Expression(name, (box,), mask_to_rle(mask)))
            writer.write(
                Record(
                    id=f"photo-{index}",
                    source="loader",
                    license="CC0-1.0",
                    image=f"{index}.jpg",
                    width=WIDTH,
                    height=HEIGHT,
                    conversations=(),
                    targets=(),
                    expressions=tuple(expressions),
                )
            )
