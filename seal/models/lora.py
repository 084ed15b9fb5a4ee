"""LoRA on the language model, with dropout that does not depend on how rows are distributed."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from seal.models.quantize import quiet_bitsandbytes
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


class RowSeeds:
    """One seed a row for the step that runs: drawn from (seed, step, sample id)."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rows: list[str] = []

    def begin(self, step: int, ids: list[str]) -> None:
        """Name the rows of the batch that comes next; rows of one sample are told apart."""
        seen: dict[str, int] = {}
        self.rows = []
        for name in ids:
            seen[name] = seen.get(name, 0) + 1
            self.rows.append(f"{self.seed}/{step}/{name}/{seen[name]}")

    def draw(self, row: int, layer: int) -> int:
        digest = hashlib.blake2b(f"{self.rows[row]}/{layer}".encode(), digest_size=7)
        return int.from_bytes(digest.digest(), "big")


class RowDropout(nn.Module):
    """Dropout whose mask is a function of the row's seed and the layer."""

    def __init__(self, p: float, layer: int, seeds: RowSeeds) -> None:
        super().__init__()
        self.p = p
        self.layer = layer
        self.seeds = seeds

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, L, D)."""
        if not self.training or self.p == 0:
            return x
        if len(self.seeds.rows) != x.shape[0]:
            raise RuntimeError(
                f"dropout was told of {len(self.seeds.rows)} rows but sees {x.shape[0]}"
            )
        keep = torch.empty_like(x)
        generator = torch.Generator(device=x.device)
        for row in range(x.shape[0]):
            generator.manual_seed(self.seeds.draw(row, self.layer))
            keep[row].bernoulli_(1 - self.p, generator=generator)
        # Scaled last: 1 / (1 - p) itself is not exact in bfloat16.
        return x * keep * (1 / (1 - self.p))


def add_lora(model: VLM, config: LoraConfig) -> None:
    """Put trainable adapters on the language model, in place.

    They train instead of its blocks and final norm, which are frozen; whether embeddings, LM head
    and the other parts train stays as it was.
    """
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
