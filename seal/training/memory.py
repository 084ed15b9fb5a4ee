"""The memory of a training step: what each GPU needs at its worst moment, told beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from seal.models.fit.memory import quantized_bytes
from seal.models.vqa import VQAModel
from seal.models.vsm import VSM
from seal.training.activations import Activations, Load, count_activations
from seal.training.config import TrainConfig, derive_accumulation
from seal.training.optimizer import chunks, group_limit, require_trained

BUCKET = 500_000_000  # DeepSpeed's, of gradients; the engine lowers it to the largest group
GATHERED = 1_000_000_000  # parameters ZeRO-3 keeps whole at a time (max_live_parameters)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How the state is kept."""

    stage: int  # of ZeRO
    processes: int
    bf16: bool
    accumulation: int = 1  # micro-batches of a process in a step
    optimizer: str = "adamw"
    offload_optimizer: bool = False  # master weights and moments on the host
    offload_parameters: bool = False  # ZeRO-3: the weights as well
    fused: bool = True  # AdamW in one kernel, as on GPUs; else it makes copies on the way

    @classmethod
    def of(
        cls, train: TrainConfig, document: Mapping[str, Any], processes: int,
        *, stage: int | None = None, fused: bool = True,
    ) -> Setting:  # fmt: skip
        """Of a run on `processes` GPUs; `stage`: in place of the document's."""
        zero = document.get("zero_optimization", {})
        found = int(zero.get("stage", 0)) if stage is None else stage

        def on_host(key: str) -> bool:
            return zero.get(key, {}).get("device", "none") != "none"

        return cls(
            stage=found,
            processes=processes,
            bf16=train.bf16,
            accumulation=derive_accumulation(
                train.global_batch_size, train.micro_batch_size, processes
            ),
            optimizer=train.optimizer,
            offload_optimizer=found > 0 and on_host("offload_optimizer"),
            offload_parameters=found == 3 and on_host("offload_param"),
            fused=fused,
        )

    @property
    def float32_sums(self) -> bool:
        """Whether gradients of bfloat16 weights add up in float32 (seal.training.engine)."""
        return self.bf16 and self.accumulation > 1


@dataclass(frozen=True, slots=True)
class States:
    """Bytes on one GPU that are there whatever is read."""

    weights: float
    gradients: float  # that add up over the micro-batches of a step
    optimizer: float  # master weights and moments
    travelling: float  # buffers of gradients on their way, or of weights that are gathered
    update: float  # copies of the largest group when it is updated

    @property
    def at_rest(self) -> float:
        return self.weights + self.optimizer


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes on one GPU at each moment of a step."""

    states: States
    activations: Activations
    moments: dict[str, float]

    @property
    def moment(self) -> str:
        """The worst."""
        return max(self.moments, key=lambda name: self.moments[name])

    @property
    def peak(self) -> float:
        return self.moments[self.moment]


def step_need(
    model: VQAModel | VSM, load: Load, setting: Setting, train: TrainConfig,
    quantization: str | None = None,
) -> Need:  # fmt: skip
    """The most of a step's moments; a model on the meta device will do.

    Args:
        load: of the largest micro-batch.
        quantization: int8 | nf4: of the blocks' frozen matrices.
    """
    states = count_states(model, setting, quantization)
    dtype = torch.bfloat16 if setting.bf16 else torch.float32
    acts = count_activations(
        model, load, dtype=dtype,
        gradient_checkpointing=train.gradient_checkpointing,
        recompute_every=train.recompute_every,
    )  # fmt: skip
    rest = states.at_rest
    # Of the second micro-batch on, gradients of the ones before are there from the beginning.
    before = states.gradients if setting.accumulation > 1 or setting.float32_sums else 0.0
    return Need(
        states,
        acts,
        {
            "towers": rest + before + acts.towers,
            "end of the forward pass": rest + before + acts.kept + acts.logits,
            # The last block is the first one back, when all else is still kept ...
            "begin of the backward pass": (
                rest + before + acts.kept + acts.block + states.travelling
            ),
            # ... and at the first one every gradient is there.
            "end of the backward pass": (rest + states.gradients + acts.block + states.travelling),
            "update": rest + states.gradients + states.update,
        },
    )


def count_states(model: nn.Module, setting: Setting, quantization: str | None = None) -> States:
    """Weights, gradients and the optimizer's state of one process."""
    size = 2.0 if setting.bf16 else 4.0
    parameters = list(require_trained(model).values())
    groups = [
        sum(p.numel() for p in chunk) for chunk in chunks(parameters, group_limit(parameters))
    ]
    trained, largest = float(sum(groups)), float(max(groups))
    everything = trained + sum(p.numel() for p in model.parameters() if not p.requires_grad)
    weights = trained * size + _frozen_bytes(model, size, quantization)
    sums = 4.0 if setting.float32_sums else size
    moments = 2.0 if setting.optimizer == "adamw_8bit" else 8.0  # and a scale for 256 elements
    gradients = trained * sums
    master = 4.0 if setting.stage > 0 else 0.0
    optimizer = trained * (master + moments)
    share = setting.processes
    if setting.stage >= 1:
        optimizer /= share
    if setting.stage >= 2:
        gradients /= share
    if setting.stage == 3:
        weights /= share
    bucket = min(BUCKET, largest) * size
    part = largest / share if setting.stage >= 1 else float(_largest(model))
    # A bucket is full when it holds more, so its last tensor comes on top.
    copied = min(BUCKET + (part if setting.stage == 0 else largest), trained) * sums
    if share == 1:
        copied = 0.0
    travelling = {
        0: copied,
        1: copied if setting.float32_sums else bucket,
        2: 2 * bucket,  # one fills while the other is on its way
        3: bucket + (min(GATHERED, everything) * size if share > 1 else 0.0),
    }[setting.stage]
    # Flattened, then cast to float32; sums that are float32 lie flat already under ZeRO 1 and 2.
    flat = 0.0
    if setting.stage == 3 or (setting.stage > 0 and not setting.float32_sums):
        flat = sums + (4.0 if sums < 4 else 0.0)
    copies = 0.0 if setting.fused or setting.optimizer != "adamw" else 8.0
    update = part * (flat + copies)
    if setting.offload_optimizer:
        optimizer = update = 0.0
        if setting.stage == 3:
            gradients = 0.0
    if setting.offload_parameters:
        weights = 0.0
    return States(weights, gradients, optimizer, travelling, update)


def _frozen_bytes(model: nn.Module, size: float, quantization: str | None) -> float:
    total = 0.0
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            continue
        packed = (
            quantization is not None and parameter.ndim == 2 and "llm.model.layers." in name
            and ".lora_" not in name
        )  # fmt: skip
        if packed:
            assert quantization is not None
            total += quantized_bytes(parameter, quantization)
        else:
            total += parameter.numel() * size
    return total


def _largest(model: nn.Module) -> int:
    return max(p.numel() for p in model.parameters() if p.requires_grad)
