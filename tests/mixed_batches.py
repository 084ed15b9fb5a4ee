"""The real models at tiny sizes, and samples of every kind a mixture holds.

Text-only rows, rows with an image and 0 to 3 objects; expressions with boxes, without boxes
(absent), not annotated, with and without a mask; several expressions on one image; chat rows.
For AVG-LLaVA's stages, one and two pictures in tiles, at every level.

Run as a program it trains all models, so that torchrun can:

    torchrun --nproc-per-node 2 tests/mixed_batches.py FOLDER [num_steps=50 stage=2]
"""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from seal.batch import IGNORE_INDEX, VISUAL_TOKEN, Mask, Row, Sample, Target, Visual
from seal.data.collate import collate
from seal.data.layout import trunk_length
from seal.data.levels import feedback_rows, level_rows
from seal.images.tiles import TilesConfig
from seal.losses.granularity import GranularityLoss, RouterLoss
from seal.losses.vqa import VQALoss
from seal.losses.vsm import VSMLoss
from seal.models.fit.compile_blocks import compile_blocks
from seal.models.fit.lora import LoraConfig, add_lora
from seal.models.fit.recompute import recompute_blocks
from seal.models.parts.cue_decoder import CueDecoderConfig
from seal.models.parts.owlvit import OwlViTConfig
from seal.models.parts.projectors import ResamplerConfig
from seal.models.parts.router import RouterConfig
from seal.models.parts.vision import VisionConfig
from seal.models.vlm import LlmConfig
from seal.models.vqa import GranularityConfig, VQAModelConfig
from seal.models.vsm import VSMModelConfig
from seal.tiling import Tiling
from seal.training.config import TrainConfig
from seal.training.distributed import World, distributed
from seal.training.engine import Engine, build_engine
from seal.training.loop import fit
from seal.training.validate import held_out

VOCABULARY, LOC = 40, 39
LLM = LlmConfig(
    vocab_size=VOCABULARY, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
    num_attention_heads=2,
)  # fmt: skip
CLIP = VisionConfig(
    hidden_size=12, intermediate_size=24, num_hidden_layers=3, num_attention_heads=2,
    image_size=28, patch_size=14,
)  # fmt: skip
OWL = OwlViTConfig(
    hidden_size=12, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
    image_size=32, patch_size=8, query_size=8,
)  # fmt: skip
LONG, SHORT = 4, 2  # visual tokens of an image through each projector
LEVELS = (1, 2, 4)


def vqa_model() -> nn.Module:
    resampler = ResamplerConfig(num_latents=SHORT, depth=1, num_heads=2, head_size=4)
    model = VQAModelConfig(llm=LLM, vision=CLIP, resampler=resampler).build()
    model.set_trainable("instruct")
    return model


def vsm_model() -> nn.Module:
    cue = CueDecoderConfig(hidden_size=16, depth=1, num_heads=2, mlp_size=16)
    model = VSMModelConfig(llm=LLM, vision=CLIP, detector=OWL, cue_decoder=cue).build()
    model.set_trainable()
    add_lora(model, LoraConfig(rank=2))  # with dropout, drawn from (seed, step, sample id)
    return model


def level_model(stage: str) -> nn.Module:
    model = VQAModelConfig(
        llm=LLM, vision=CLIP, projector="mlp2x_gelu", resampler=None, tiles=TilesConfig(),
        granularity=GranularityConfig(levels=[*LEVELS]), token_policy="router",
        router=RouterConfig(num_heads=2, text_tokens=4, dropout=0.2),
    ).build()  # fmt: skip
    model.set_trainable(stage, vision_tower=stage == "granularity")
    return model


class MixedSamples:
    """Sample `index` depends on the index alone; its kind goes round."""

    def __init__(self, model: str) -> None:
        self.make = {
            "vqa": vqa_sample,
            "vsm": vsm_sample,
            "granularity": partial(level_sample, router=False),
            "router": partial(level_sample, router=True),
        }[model]

    def __len__(self) -> int:
        return 40

    def __getitem__(self, index: int) -> Sample:
        index %= len(self)
        return self.make(index, torch.Generator().manual_seed(index))

    def length(self, index: int) -> int:
        rows = self[index].rows
        trunk = trunk_length(rows)
        return trunk + sum(len(row.input_ids) - trunk for row in rows)


def text(generator: torch.Generator, count: int) -> list[int]:
    return torch.randint(3, LOC, (count,), generator=generator).tolist()


def row(visuals: list[Visual], question: list[int], answer: list[int], **more: Any) -> Row:
    ids = [1]
    for visual in visuals:
        ids += [VISUAL_TOKEN] * (LONG if visual.long else SHORT) + question[:2]
    ids += question
    labels = [IGNORE_INDEX] * len(ids) + answer
    shown = tuple(replace(visual, length=LONG if visual.long else SHORT) for visual in visuals)
    return Row(torch.tensor(ids + answer), torch.tensor(labels), shown, **more)


def vqa_sample(index: int, generator: torch.Generator) -> Sample:
    """Kinds: text only, then an image with 0, 1, 2 and 3 objects. Micro-batches of 2 of one kind
    follow each other, so that at times one process has no image at all and the other has many."""
    kind = index // 2 % 5
    num_objects = max(kind - 1, 0)
    images = tuple(torch.randn(3, 28, 28, generator=generator) for _ in range(kind))
    visuals = [
        Visual(image, long=num_objects == 0 if image == 0 else num_objects == 1)
        for image in range(len(images))
    ]
    question, answer = text(generator, 3 + index % 4), text(generator, 2 + index % 3)
    return Sample(f"vqa-{index}", (row(visuals, question, answer),), images)


def vsm_sample(index: int, generator: torch.Generator) -> Sample:
    """Kinds: chat, present, absent, not annotated, three expressions with and without masks."""
    kind = index // 2 % 5
    image = torch.randn(3, 28, 28, generator=generator)
    detector = torch.randn(3, 32, 32, generator=generator)
    boxes = torch.rand(2, 4, generator=generator) * 0.4 + 0.2
    mask = Mask.pack(torch.rand(10, 12, generator=generator) > 0.5)
    some = Target(boxes, mask)
    targets = [(), (some,), (Target(boxes[:0], None),), (Target(None, None),),
               (some, Target(boxes[:1], None), Target(None, mask))][kind]  # fmt: skip
    rows = []
    for _ in targets or [None]:
        question, answer = text(generator, 3), text(generator, 2)
        position = {}
        if targets:
            answer[1] = LOC
            position = {"loc_position": 1 + LONG + 2 + 3 + 1}
        rows.append(row([Visual(0, long=True)], question, answer, **position))
    detector_image = detector if targets else None
    return Sample(f"vsm-{index}", tuple(rows), (image,), detector_image, tuple(targets))


def level_sample(index: int, generator: torch.Generator, *, router: bool) -> Sample:
    """Kinds: text only, one picture in tiles of three shapes, two pictures."""
    kind = index // 2 % 5
    sizes = [[], [(30, 20)], [(20, 33)], [(90, 12)], [(28, 28), (20, 30)]][kind]
    grids = [[], [(2, 1)], [(1, 2)], [(3, 1)], [(2, 2), (1, 2)]][kind]
    visuals, images = [], []
    for (width, height), (columns, rows) in zip(sizes, grids, strict=True):
        tiling = Tiling(columns, rows, width, height, 2)
        visuals.append(Visual(len(images), long=True, length=tiling.count(LONG), tiling=tiling))
        images += [torch.randn(3, 28, 28, generator=generator) for _ in range(tiling.num_tiles)]
    ids = [1]
    for visual in visuals:
        ids += text(generator, 2) + [VISUAL_TOKEN] * visual.length
    ids += text(generator, 3 + index % 4)
    answer = text(generator, 2 + index % 3)
    labels = torch.tensor([IGNORE_INDEX] * len(ids) + answer)
    whole = Row(torch.tensor(ids + answer), labels, tuple(visuals))
    if router:
        shown, routed = feedback_rows(whole, LEVELS)
        return Sample(f"level-{index}", shown, tuple(images), routed=routed)
    shown = level_rows(whole, LEVELS, np.random.default_rng(index))
    return Sample(f"level-{index}", shown, tuple(images))


MODELS: dict[str, Any] = {"vqa": (vqa_model, VQALoss), "vsm": (vsm_model, VSMLoss)}
LEVELED: dict[str, Any] = {
    "granularity": (partial(level_model, "granularity"), partial(GranularityLoss, LEVELS)),
    "router": (partial(level_model, "router"), RouterLoss),
}


def mixed_train(**changes: Any) -> TrainConfig:
    numbers: dict[str, Any] = dict(
        num_steps=50, global_batch_size=4, micro_batch_size=2, learning_rate=1e-3, bf16=False,
        save_every=1000, workers=0,
    )  # fmt: skip
    return TrainConfig(**numbers | changes)


def mixed_engine(
    world: World, name: str, train: TrainConfig, *, stage: int, offload: bool = False
) -> Engine:
    build, criterion = (MODELS | LEVELED)[name]
    torch.manual_seed(1)
    assert train.num_steps is not None
    zero: dict[str, Any] = {"stage": stage}
    if offload:
        zero["offload_optimizer"] = {"device": "cpu"}
    if stage == 3:
        zero["stage3_param_persistence_threshold"] = 0  # or every weight, being small, stays whole
    model = build()
    if train.gradient_checkpointing:
        recompute_blocks(model, train.recompute_every)
    if train.compile:
        compile_blocks(model, "eager")  # captured, and run as it is
    return build_engine(
        model, criterion(), train, {"zero_optimization": zero},
        num_steps=train.num_steps, world=world,
    )  # fmt: skip


def mixed_fit(engine: Engine, name: str, folder: Path) -> None:
    train = engine.train_config
    packed = train.batching == "packed"
    samples, join = MixedSamples(name), partial(collate, pad_id=0, pack=packed)
    validation = None
    if train.validation_samples:
        validation = held_out(samples, join, count=train.validation_samples)
    fit(
        engine, samples, join, folder / name, seed=0, config={"train": asdict(train)},
        validation=validation,
    )  # fmt: skip


def main(arguments: list[str]) -> None:
    options = {key: int(value) for key, _, value in (a.partition("=") for a in arguments[1:])}
    stage = options.pop("stage", 0)
    options["bf16"] = bool(options.get("bf16", 0))
    with distributed(seed=0) as world:
        for name in MODELS:
            engine = mixed_engine(world, name, mixed_train(**options), stage=stage)
            mixed_fit(engine, name, Path(arguments[0]))


if __name__ == "__main__":
    main(sys.argv[1:])
