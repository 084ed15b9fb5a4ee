"""What a run would do, before it does anything: parameters, memory, steps, and one batch to see."""

from __future__ import annotations

import torch

from seal.batch import Batch
from seal.data.sample_page import add_samples
from seal.models.files.load import parameter_table
from seal.models.vlm import VLM
from seal.models.vqa import VQAModel
from seal.models.vsm import VSM
from seal.pages.page import Page
from seal.text.tokenize import load_tokenizer
from seal.training.assemble import TrainingData
from seal.training.config import TrainConfig
from seal.training.flops import count_flops, state_bytes
from seal.training.recipe import Run, VQARun, VSMRun

GPUS = (1, 2, 4, 8)
# What one GPU is assumed to sustain for the estimate of hours: half of an H200's measured peak.
ASSUMED_TFLOPS = 395.0
QUANTIZED_BYTES = {"int8": 1.0, "nf4": 0.5 + 0.5 / 8}  # per parameter, scales included


def preview(run: VQARun | VSMRun) -> None:
    """Print the parameters by part, memory, steps; write a page with the first micro-batch."""
    run.prepare()
    with torch.device("meta"):
        model = run.build_model(weights=False)
    print(f"{run.run_name}\n")
    print("\n".join(parameter_lines(model)), "\n")
    print("\n".join(memory_lines(model, run)), "\n")
    try:
        tokenizer = load_tokenizer(run.tokenizer_folder)
        data = run.build_data(tokenizer)
    except ValueError as error:
        print(f"no batch, steps and hours are shown, for the data cannot be opened: {error}")
        return
    steps = run.train.steps(len(data.train))
    samples = [data.train[index] for index in range(run.train.micro_batch_size)]
    batch = data.collate(samples)
    print("\n".join(step_lines(model, run.train, data, batch, steps)))
    page = Page(run.run_name, "The first micro-batch, as training reads it.")
    add_samples(page, samples, tokenizer)
    print(f"the first micro-batch: {page.write(run.folder / 'preview.html')}")


def parameter_lines(model: VLM) -> list[str]:
    """A table: part, parameters, trained ones."""
    rows = parameter_table(model)
    rows.append(("total", sum(row[1] for row in rows), sum(row[2] for row in rows)))
    return [f"{'part':<18}{'parameters':>16}{'trained':>16}"] + [
        f"{name:<18}{count:>16,}{trained:>16,}" for name, count, trained in rows
    ]


def memory_lines(model: VLM, run: Run) -> list[str]:
    """A table: GiB per GPU for each ZeRO stage and number of GPUs."""
    parameters = list(model.parameters())
    trained = sum(p.numel() for p in parameters if p.requires_grad)
    frozen = sum(p.numel() for p in parameters) - trained
    frozen_bytes = None if run.quantization is None else QUANTIZED_BYTES[run.quantization]
    lines = [
        "GiB per GPU for weights, gradients and optimizer; activations come on top",
        f"{'':<18}" + "".join(f"{f'{count} GPU':>10}" for count in GPUS),
    ]
    for stage in range(1 if run.train.bf16 else 0, 4):
        cells = [
            state_bytes(
                trained, frozen, stage=stage, processes=count, bf16=run.train.bf16,
                frozen_bytes=frozen_bytes,
            ) / 2**30
            for count in GPUS
        ]  # fmt: skip
        lines.append(f"ZeRO {stage:<13}" + "".join(f"{value:>10.2f}" for value in cells))
    return lines


def step_lines(
    model: VQAModel | VSM, train: TrainConfig, data: TrainingData, batch: Batch, steps: int
) -> list[str]:
    """Steps, and how long they may take, judged by the first micro-batch."""
    padding = 1.0 - float(batch.attention_mask.float().mean())
    per_sample = count_flops(model)(batch) / train.micro_batch_size
    total = per_sample * train.global_batch_size * steps
    hours = total / (ASSUMED_TFLOPS * 1e12) / 3600
    return [
        f"{len(data.train):,} records an epoch; {steps:,} steps of {train.global_batch_size}; "
        f"warm-up {train.warmup(steps)}",
        f"{batch.input_ids.shape[1]} positions in the first micro-batch, {padding:.0%} padding",
        f"{total:.2e} floating-point operations: about {hours:.2f} GPU hours at "
        f"{ASSUMED_TFLOPS:.0f} TFLOP/s",
    ]
