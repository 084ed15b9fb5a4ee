"""One optimizer step of a VQA LLM of 0.3 B parameters: its largest resident size and the predicted.

    python tests/measured_peak.py [stage=2 bf16=1 checkpointing=1 rows=4 length=256 accumulation=2]

Prints a JSON line with bytes; `measured` is what came on top of the process with its libraries.
"""

from __future__ import annotations

import gc
import json
import sys
from dataclasses import replace
from typing import Any

import torch
from resident import Watch, resident

from seal.batch import IGNORE_INDEX, Batch, Row, Sample
from seal.data.collate import collate
from seal.losses.vqa import VQALoss
from seal.models.fit.recompute import recompute_blocks
from seal.models.parts.projectors import ResamplerConfig
from seal.models.parts.vision import VisionConfig
from seal.models.vlm import LlmConfig
from seal.models.vqa import VQAModelConfig
from seal.training.activations import Load
from seal.training.config import TrainConfig
from seal.training.distributed import World, distributed
from seal.training.engine import build_engine
from seal.training.memory import Setting, step_need
from seal.training.step import micro_batch_losses

VOCABULARY = 8000
# 22 blocks of 12.8 M and 16 M of embeddings and head: 0.3 B.
LLM = LlmConfig(
    vocab_size=VOCABULARY, hidden_size=1024, intermediate_size=2816, num_hidden_layers=22,
    num_attention_heads=8,
)  # fmt: skip
CLIP = VisionConfig(
    hidden_size=12, intermediate_size=24, num_hidden_layers=3, num_attention_heads=2,
    image_size=28, patch_size=14,
)  # fmt: skip
RESAMPLER = ResamplerConfig(num_latents=2, depth=1, num_heads=2, head_size=4)


def sample(index: int, length: int) -> Sample:
    """Text alone, a quarter of it learnt."""
    ids = torch.randint(VOCABULARY, (length,), generator=torch.Generator().manual_seed(index))
    labels = ids.clone()
    labels[: 3 * length // 4] = IGNORE_INDEX
    return Sample(id=f"sample-{index}", rows=(Row(input_ids=ids, labels=labels),))


def measure(
    llm: LlmConfig, train: TrainConfig, document: dict[str, Any], batch: Batch,
    options: dict[str, Any], world: World,
) -> dict[str, Any]:  # fmt: skip
    gc.collect()
    baseline = resident()
    model = VQAModelConfig(llm=llm, vision=CLIP, resampler=RESAMPLER).build()
    model.set_trainable("instruct")
    if train.gradient_checkpointing:
        recompute_blocks(model)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    setting = Setting.of(train, document, processes=1, fused=train.bf16)
    need = step_need(model, Load.of(batch), setting, train)
    engine = build_engine(model, VQALoss(), train, document, num_steps=10, world=world)
    del model
    peaks = []
    for step in range(options["steps"]):
        watch = Watch()
        for _ in range(options["accumulation"]):
            losses, _ = micro_batch_losses(engine, batch, 1 / len(batch.label_ids))
            engine.backward(losses.sum())
            engine.step(step)
        peaks.append(watch.stop() - baseline)
    engine.deepspeed.destroy()
    return {
        "parameters": trained, "measured": max(peaks), "predicted": need.peak,
        "ratio": need.peak / max(peaks), "bytes_per_parameter": max(peaks) / trained,
        "moment": need.moment, "peaks": peaks,
    }  # fmt: skip


def main(arguments: list[str]) -> None:
    options: dict[str, Any] = dict(
        stage=2, bf16=1, checkpointing=1, rows=1, length=32, accumulation=2, steps=2
    )
    options |= {k: int(v) for k, _, v in (argument.partition("=") for argument in arguments)}
    train = TrainConfig(
        num_steps=10, micro_batch_size=options["rows"],
        global_batch_size=options["rows"] * options["accumulation"], learning_rate=1e-4,
        bf16=bool(options["bf16"]), gradient_checkpointing=bool(options["checkpointing"]),
    )  # fmt: skip
    document = {
        "zero_optimization": {"stage": options["stage"]} | (
            {"overlap_comm": True} if options["stage"] == 2 else {}
        )
    }  # fmt: skip
    batch = collate([sample(i, options["length"]) for i in range(options["rows"])], pad_id=0)
    with distributed(seed=0) as world:
        torch.set_num_threads(2)
        # What libraries take on their first use is no part of a model's memory.
        small = replace(LLM, hidden_size=64, intermediate_size=64, num_hidden_layers=2)
        measure(small, train, document, batch, options, world)
        measured = measure(LLM, train, document, batch, options, world)
    print(json.dumps(options | measured))


if __name__ == "__main__":
    main(sys.argv[1:])
