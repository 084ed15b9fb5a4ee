"""A checkpoint of a LoRA run becomes an adapter folder: what was trained, nothing merged."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from seal.models.files.adapter import read_adapter, require_replaceable_adapter, write_adapter
from seal.models.files.model_config import config_to_dict
from seal.models.files.shards import read_tensors
from seal.training.assemble import resolve_folder
from seal.training.checkpoint import iterate_weights, read_description, read_shapes
from seal.training.export import DTYPES, training_facts
from seal.training.recipe import VQARun, VSMRun
from seal.training.run_facts import base_facts
from seal.training.same_run import require_same_base, require_same_shapes


def export_adapter(
    run: VQARun | VSMRun, checkpoint: Path, out: Path, *, dtype: str | None = None
) -> None:
    """Write `out`: adapters and heads over the base model in `init_from`, which is not read.

    Exact also where the base was quantized, into which nothing can be merged.

    Args:
        dtype: bf16, fp16 or fp32; None: float32, as the checkpoint has it.

    Raises:
        ValueError: the run has no adapters or began with random weights, the checkpoint does not
            hold exactly what the run trains (names the keys), the base model is no longer the
            same, or `out` holds something else.
    """
    if run.lora is None or run.init_from is None:
        lacks = "lora" if run.lora is None else "init_from"
        raise ValueError(
            f"{checkpoint} is of a run without {lacks}: there are no adapters over a base model; "
            "use form=merged"
        )
    if dtype is not None and dtype not in DTYPES:
        raise ValueError(f"dtype={dtype!r} is none of {', '.join(DTYPES)}")
    require_replaceable_adapter(out)
    base = base_facts(run)
    require_same_base(checkpoint, read_description(checkpoint).get("base"), base)
    with torch.device("meta"):
        model = run.build_model(weights=False)
    shapes = {n: tuple(p.shape) for n, p in model.named_parameters() if p.requires_grad}
    require_same_shapes(checkpoint, read_shapes(checkpoint), shapes)
    tensors: dict[str, Tensor] = {}
    if run.init_adapter is not None:  # what it brought is not in the base, trained here or not
        tensors |= dict(read_tensors(read_adapter(run.init_adapter).stored))
    tensors |= dict(iterate_weights(checkpoint))
    write_adapter(
        out,
        {name: tensor.to(DTYPES[dtype or "fp32"]) for name, tensor in tensors.items()},
        run.lora,
        base=str(resolve_folder(run.init_from)),
        tokenizer_folder=run.tokenizer_folder,
        facts=training_facts(run, checkpoint)
        | {"base": base, "model": config_to_dict(model.config)},
        tied=model.config.llm.tie_word_embeddings,
    )
