"""A checkpoint and its base model become one plain model folder, adapters merged."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from seal.models.files.save import require_replaceable, save_model
from seal.models.fit.lora import merge_lora
from seal.training.checkpoint import (
    iterate_weights,
    read_description,
    read_shapes,
    read_step,
)
from seal.training.recipe import VQARun, VSMRun
from seal.training.run_facts import base_facts, record_facts
from seal.training.same_run import require_same_base, require_same_shapes
from seal.version import __version__, git_revision

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
# Said of a merged export, for it is not the model whose losses the log shows.
QUANTIZED = (
    "trained over {0} weights, merged into the whole ones ({1}): answers differ a little from "
    "those in training; the adapters over {0} weights are exact: seal train/export form=adapter"
)


def export_model(
    run: VQARun | VSMRun, checkpoint: Path, out: Path, *, dtype: str | None = None
) -> None:
    """Write `out`: base weights with the trained ones over them, tokenizer, settings.

    Adapters that were trained over a quantized base are merged into the whole weights.

    Args:
        dtype: bf16, fp16 or fp32; None: what the run computed in.

    Raises:
        ValueError: the checkpoint does not hold exactly what the run trains (names the keys), the
            base model is no longer the same, or `out` holds something else than a model.
    """
    if dtype is not None and dtype not in DTYPES:
        raise ValueError(f"dtype={dtype!r} is none of {', '.join(DTYPES)}")
    wanted = DTYPES[dtype or ("bf16" if run.train.bf16 else "fp32")]
    require_replaceable(out)  # before anything is loaded
    require_same_base(checkpoint, read_description(checkpoint).get("base"), base_facts(run))
    quantization, run.quantization = run.quantization, None  # adapters merge into whole weights
    model = run.build_model()
    run.quantization = quantization
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    shapes = {name: tuple(parameter.shape) for name, parameter in trained.items()}
    require_same_shapes(checkpoint, read_shapes(checkpoint), shapes)
    # A 13B model in float32 would fill a machine: one tensor at a time, adapters in float32.
    for name, value in iterate_weights(checkpoint):
        trained[name].data = value if ".lora_" in name else value.to(wanted)
    if run.lora is not None:
        merge_lora(model, wanted)
        if run.quantization is not None:
            print(
                QUANTIZED.format(run.quantization, dtype or ("bf16" if run.train.bf16 else "fp32"))
            )
    model.to(wanted)
    save_model(out, model, run.tokenizer_folder, training_facts(run, checkpoint))


def training_facts(run: VQARun | VSMRun, checkpoint: Path) -> dict[str, Any]:
    """What training.json says: enough to tell two models apart and to train this one again."""
    return {
        "experiment": run.experiment,
        "steps": read_step(checkpoint),
        "samples": read_step(checkpoint) * run.train.global_batch_size,
        "seed": run.seed,
        "records": record_facts(run),
        "initialized_from": run.init_from,
        "git_revision": git_revision(),
        "versions": {"seal": __version__, "torch": torch.__version__},
        "configuration": asdict(run),
    }
