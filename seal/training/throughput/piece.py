"""One recipe, measured: the real model, engine, loader and step, on random weights and samples."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from seal.batch import Batch
from seal.data.collate import collate
from seal.losses.vqa import VQALoss
from seal.losses.vsm import VSMLoss
from seal.models.files.random_weights import random_model
from seal.models.vlm import VLM
from seal.models.vqa import VQAModel
from seal.models.vsm import VSM
from seal.training.activations import Load
from seal.training.assemble import build_with_adapters, speed_up
from seal.training.checkpointer import Checkpointer
from seal.training.config import TrainConfig
from seal.training.distributed import World, distributed
from seal.training.engine import Engine, build_engine
from seal.training.flops import count_flops
from seal.training.plan import Plan
from seal.training.sampler import training_batches
from seal.training.step import micro_batch_losses, optimizer_step
from seal.training.throughput.config import ThroughputConfig
from seal.training.throughput.figures import rates, recomputed_flops
from seal.training.throughput.memory import held_before, memory_report, predicted_peak
from seal.training.throughput.peak import utilization, wait
from seal.training.throughput.recipes import RECIPES
from seal.training.throughput.samples import Shown, synthetic_mixture
from seal.training.throughput.syncs import find_syncs

SYNCED_STEPS = 2  # behind the measured ones, with sync_debug


def measure_piece(config: ThroughputConfig, name: str) -> dict[str, Any]:
    """As `measure_recipe`, in a process group of its own."""
    with distributed(config.seed, timeout_minutes=config.train.timeout_minutes) as world:
        return measure_recipe(config, name, world)


def measure_recipe(config: ThroughputConfig, name: str, world: World) -> dict[str, Any]:
    """Train a few steps by recipe `name`; everything in bytes, seconds and fractions."""
    if config.sync_debug and world.device.type != "cuda":
        raise ValueError("sync_debug=true asks a GPU where it is waited for; there is none")
    recipe = RECIPES[name]
    before = held_before(world.device)
    train = recipe.train(config.train, config.original_micro_batch_size)
    dtype = torch.bfloat16 if train.bf16 else torch.float32
    began = time.perf_counter()
    model = build_model(config, train, world.device)
    recipe.prepare(model)
    parameters = [(p.numel(), p.requires_grad) for p in model.parameters()]
    work = count_flops(model)
    again = recomputed_flops(model, train) if train.gradient_checkpointing else None
    faster = speed_up(model, train, world.device)
    document = _document(config.deepspeed, train)
    engine = build_engine(
        model,
        VQALoss() if isinstance(model, VQAModel) else VSMLoss(),
        train,
        document,
        num_steps=train.steps(1),
        world=world,
    )
    built = time.perf_counter() - began
    last = config.warmup + config.steps
    mixture = synthetic_mixture(config.kinds(), Shown.by(config.model_config()), config.seed)
    batches = training_batches(
        mixture,
        partial(collate, pad_id=0, pack=train.batching == "packed"),
        Plan.of(train, mixture),
        first=0,
        num_steps=last + SYNCED_STEPS * config.sync_debug,
        world=world,
        workers=train.workers,
        prefetch=train.prefetch,
    )
    steps, largest = _run(engine, batches, config, work, again)
    with torch.device("meta"):
        sizes = build_model(config, train, None)
    predicted = predicted_peak(
        sizes, largest, recipe, train, document, processes=world.size, device=world.device,
        quantization=config.quantization,
    )  # fmt: skip
    figures = rates(steps[config.warmup :], world, train.global_batch_size)
    measured = {
        "recipe": asdict(recipe),
        "device": _device_name(world.device),
        "world_size": world.size,
        "parameters": {
            "total": sum(count for count, _ in parameters),
            "trained": sum(count for count, trained in parameters if trained),
        },
        "faster": faster,
        "seconds_to_build": built,
        **figures,
        "memory": memory_report(world.device, before, predicted),  # before products are timed
        **utilization(figures, world.device, dtype, train.peak_tflops),
        "save": _save(engine, config, last) if config.save else None,
    }
    if config.sync_debug:
        measured["syncs"] = _syncs(engine, batches, last)
    engine.deepspeed.destroy()
    return measured


def build_model(
    config: ThroughputConfig, train: TrainConfig, device: torch.device | None
) -> VQAModel | VSM:
    """The model as a run would build it, its weights drawn on `device`; None: without weights."""
    sizes = config.model_config()

    def mark(model: VLM) -> None:
        if isinstance(model, VQAModel):
            model.set_trainable(config.stage)
        elif isinstance(model, VSM):
            model.set_trainable()

    def build() -> VLM:
        if device is None:
            return sizes.build()
        return random_model(
            sizes,
            seed=config.seed,
            dtype=torch.bfloat16 if train.bf16 else torch.float32,
            device=device,
            quantization=config.quantization,
        )

    model = build_with_adapters(
        build,
        mark,
        lora=config.lora,
        train=train,
        seed=config.seed,
    )
    assert isinstance(model, VQAModel | VSM)
    return model


def _run(
    engine: Engine,
    batches: Iterator[Batch],
    config: ThroughputConfig,
    work: Callable[[Batch], float],
    again: Callable[[Batch], float] | None,
) -> tuple[list[dict[str, float]], Load]:
    """Take the steps; what each took and was made of, and the largest micro-batch."""
    device = engine.world.device
    largest: Load | None = None
    steps = []
    for step in range(config.warmup + config.steps):
        wait(device)
        began, busy = time.perf_counter(), time.process_time()
        micro_batches = list(islice(batches, engine.accumulation))
        waited = time.perf_counter() - began
        optimizer_step(engine, micro_batches, step, seed=config.seed)
        wait(device)
        seconds = time.perf_counter() - began
        loads = [Load.of(batch) for batch in micro_batches]
        largest = max([*loads, *filter(None, [largest])], key=lambda load: load.positions)
        needed = sum(map(work, micro_batches))
        attended = sum(int(batch.attention_mask.sum()) for batch in micro_batches)
        steps.append(
            {
                "seconds": seconds,
                "cpu_seconds": time.process_time() - busy,
                "waited": waited,
                "tokens": attended,
                "positions": sum(batch.input_ids.numel() for batch in micro_batches),
                "flops": needed,
                "flops_with_recomputation": needed
                + (0.0 if again is None else sum(map(again, micro_batches))),
            }
        )
    assert largest is not None
    return steps, largest


def _save(engine: Engine, config: ThroughputConfig, step: int) -> dict[str, float]:
    """How long one checkpoint stops the training, and takes in all; it is removed again."""
    folder = Path(config.out) / f".checkpoint-{config.name}"
    saver = Checkpointer(
        folder, engine, keep=1, background=engine.train_config.save_in_background
    )  # fmt: skip
    wait(engine.world.device)
    began = time.perf_counter()
    saver.save(step, {"throughput": config.name})
    stall = time.perf_counter() - began
    written = saver.finish()
    whole = time.perf_counter() - began
    saver.close()
    assert written is not None
    size = sum(path.stat().st_size for path in written.glob("*"))
    engine.world.barrier()
    if engine.world.is_main:
        shutil.rmtree(folder)
    return {"stall": stall, "whole": whole, "bytes": size}


def _syncs(engine: Engine, batches: Iterator[Batch], step: int) -> dict[str, Any]:
    def micro_batch() -> None:
        batch = next(batches)
        batch.step = step
        losses, _ = micro_batch_losses(engine, batch)
        engine.backward(losses.sum())

    return find_syncs(micro_batch)


def _document(deepspeed: dict[str, Any], train: TrainConfig) -> dict[str, Any]:
    """The DeepSpeed document with the sizes of the recipe."""
    sizes = {
        "train_batch_size": train.global_batch_size,
        "train_micro_batch_size_per_gpu": train.micro_batch_size,
    }
    return {key: sizes.get(key, value) for key, value in deepspeed.items()}


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.get_num_threads()} threads"
