"""8-bit and 4-bit weights for the language model's layers, through bitsandbytes.

Only the linear layers inside the transformer blocks are quantized: embeddings, LM head, tower,
projectors, heads and decoders keep their precision.
"""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import Tensor, nn

from seal.models.vlm import VLM

QUANTIZATIONS = ("int8", "nf4")
# Activations of at least this size are multiplied in full precision, as in LLM.int8() and in
# transformers: a few features of large models are that large, and rounded to 8 bits they drown the
# others. bitsandbytes' own default, 0.0, treats none of them apart.
OUTLIERS = 6.0


def quiet_bitsandbytes() -> None:
    """Before its import: it tells of kernels it lacks, and of each cast in each layer and step."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)


def prepare_quantization(model: VLM, quantization: str) -> None:
    """Replace the blocks' linear layers, in place, by packed ones without weights; see `pack`."""
    if quantization not in QUANTIZATIONS:
        raise ValueError(f"quantization={quantization!r}; known: {', '.join(QUANTIZATIONS)}")
    quiet_bitsandbytes()
    import bitsandbytes as bnb

    for name, module in list(model.llm.model.layers.named_modules()):
        if not isinstance(module, nn.Linear):
            continue
        bias = module.bias is not None
        sizes = module.in_features, module.out_features
        packed: nn.Module
        if quantization == "int8":
            packed = bnb.nn.Linear8bitLt(
                *sizes, bias=bias, has_fp16_weights=False, threshold=OUTLIERS, device="meta"
            )
        else:
            packed = bnb.nn.Linear4bit(*sizes, bias=bias, quant_type="nf4", device="meta")
            # On CPUs with AVX512-BF16 one forward would repack the weights and cut later gradients.
            packed.support_avx512bf16_for_cpu = False
        parent, _, leaf = name.rpartition(".")
        setattr(model.llm.model.layers.get_submodule(parent), leaf, packed)


def pack(module: nn.Module, name: str, tensor: Tensor, device: torch.device) -> nn.Parameter | None:
    """`tensor` as parameter `name` of a module of `prepare_quantization`; None: not one to pack.

    It comes out on `device` and packed; what it was is not kept.
    """
    if name != "weight" or not type(module).__module__.startswith("bitsandbytes"):
        return None
    import bitsandbytes as bnb

    layer: Any = module
    packed: Any
    if isinstance(module, bnb.nn.Linear8bitLt):
        packed = bnb.nn.Int8Params(tensor, requires_grad=False, has_fp16_weights=False)
    else:
        layer.compute_dtype, layer.compute_type_is_set = tensor.dtype, True
        packed = bnb.nn.Params4bit(tensor, requires_grad=False, quant_type="nf4")
    moved: nn.Parameter = packed.to(device)
    return moved
