"""Low-rank adapters: put into the language model and folded into its weights again."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from seal.models.fit.quantize import quiet_bitsandbytes
from seal.models.parts.row_dropout import RowDropout, RowSeeds
from seal.models.vlm import VLM

REPLACED = ("llm.model.layers.", "llm.model.norm.")  # what adapters train instead of


@dataclass(kw_only=True, slots=True)
class LoraConfig:
    """Low-rank adapters (Hu et al. 2021); the defaults are the search model's."""

    rank: int = 8
    alpha: float = 16.0  # the update is scaled by alpha / rank
    dropout: float = 0.05
    targets: list[str] = field(default_factory=lambda: ["q_proj", "v_proj"])
    seed: int = 0  # of dropout, and of nothing else

    def __post_init__(self) -> None:
        if self.rank < 1 or not 0 <= self.dropout < 1 or not self.targets:
            raise ValueError(
                f"LoRA needs rank >= 1, 0 <= dropout < 1 and target modules, got {self}"
            )


def add_lora(model: VLM, config: LoraConfig) -> None:
    """Put trainable adapters on the language model, in place.

    They train instead of its blocks and final norm, which are frozen; whether embeddings, LM head
    and the other parts train stays as it was.

    Raises:
        ValueError: a target is no matrix of the language model.
    """
    _require_targets(model, config)
    quiet_bitsandbytes()  # peft imports it
    from peft import LoraConfig as PeftLoraConfig
    from peft import inject_adapter_in_model
    from peft.tuners.lora import LoraLayer

    trainable = {id(p) for p in model.parameters() if p.requires_grad}
    inject_adapter_in_model(
        PeftLoraConfig(
            r=config.rank,
            lora_alpha=config.alpha,  # type: ignore[arg-type]  # peft takes floats
            lora_dropout=config.dropout,
            target_modules=list(config.targets),
            bias="none",
        ),
        model.llm,
    )
    for name, parameter in model.named_parameters():
        # Injection froze everything else.
        chosen = id(parameter) in trainable and not name.startswith(REPLACED)
        parameter.requires_grad_(chosen or ".lora_" in name)
    seeds = RowSeeds(config.seed)
    layers = [module for module in model.modules() if isinstance(module, LoraLayer)]
    for index, layer in enumerate(layers):
        layer.lora_dropout["default"] = RowDropout(config.dropout, index, seeds)
        # Kaiming as in the paper, but drawn from torch's global generator exactly once.
        down: Any = layer.lora_A["default"]
        nn.init.kaiming_uniform_(down.weight, a=math.sqrt(5))
    model.row_seeds = seeds


def _require_targets(model: VLM, config: LoraConfig) -> None:
    modules = model.llm.named_modules()
    # Packed ones are linear layers as well.
    names = [name for name, module in modules if isinstance(module, nn.Linear | nn.Embedding)]
    for target in config.targets:
        if not any(f".{name}".endswith(f".{target}") for name in names):
            known = dict.fromkeys(name.rpartition(".")[2] for name in names)
            raise ValueError(
                f"lora.targets: {target} is no matrix of a {model.llm.config.model_type}; there "
                f"are {', '.join(known)}"
            )


def merge_lora(model: VLM, dtype: torch.dtype | None = None) -> None:
    """Fold the adapters into the weights, in place; the modules are plain again.

    Merged in float32 and rounded once, to `dtype` (None: what the weight has), one at a time.
    """
    quiet_bitsandbytes()
    from peft.tuners.lora import LoraLayer

    for name, module in list(model.named_modules()):
        if not isinstance(module, LoraLayer):
            continue
        layer: Any = module
        base = layer.get_base_layer()
        rounded = dtype or base.weight.dtype
        layer.float()
        layer.merge(safe_merge=True)
        parent, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(parent), leaf, base.to(rounded))
    if hasattr(model.llm, "peft_config"):  # what injection left behind
        del model.llm.peft_config
    model.row_seeds = None
