"""A model, its losses and its optimizer under DeepSpeed, for every ZeRO stage."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from seal.batch import Batch
from seal.training.config import TrainConfig, derive_accumulation
from seal.training.deepspeed_document import (
    complete_document,
    offload_of,
    set_buckets,
    stage_of,
)
from seal.training.devices import peak_tflops
from seal.training.distributed import World
from seal.training.eight_bit import hide_moments, show_moments
from seal.training.optimizer import build_optimizer
from seal.training.schedule import learning_rate_share

Losses = dict[str, Tensor]


class Criterion(Protocol):
    """Named sums of losses, and how much each counts."""

    def weights(self, batch: Batch) -> dict[str, float]:
        """What each sum is divided by to become a mean; known before any forward pass."""
        ...

    def __call__(self, batch: Batch, output: Any) -> Losses:
        """The sums by the same names; beside them, if it is told by source, `LABEL_LOSSES`."""
        ...


class Objective(nn.Module):
    """A model with its losses: what DeepSpeed runs.

    ZeRO hangs its hooks on tensors it finds in tuples and dicts; a model's output is a dataclass,
    a dict of losses is not.
    """

    def __init__(self, model: nn.Module, criterion: Criterion) -> None:
        super().__init__()
        self.model = model
        self.criterion = criterion

    def forward(self, batch: Batch, *, with_output: bool = False) -> Losses | tuple[Losses, Any]:
        output = self.model(batch)
        losses = self.criterion(batch, output)
        return (losses, output) if with_output else losses


class Engine:
    """One model in training. `accumulation` calls of `backward` make one `step`."""

    def __init__(
        self, deepspeed_engine: Any, *, stage: int, accumulation: int, train: TrainConfig,
        num_steps: int, world: World,
    ) -> None:  # fmt: skip
        self.deepspeed = deepspeed_engine
        self.stage = stage
        self.accumulation = accumulation
        self.train_config = train
        self.num_steps = num_steps
        self.world = world
        self._moments_linked = False

    @property
    def model(self) -> nn.Module:
        """The model inside; under ZeRO-3 its parameters are partitioned."""
        objective: Objective = self.deepspeed.module
        return objective.model

    @property
    def trainable(self) -> dict[str, nn.Parameter]:
        """What is trained, by the model's own names."""
        return {name: p for name, p in self.model.named_parameters() if p.requires_grad}

    def weights(self, batch: Batch) -> dict[str, float]:
        """How much each loss of a micro-batch counts; on the host."""
        objective: Objective = self.deepspeed.module
        return objective.criterion.weights(batch)

    def losses(self, batch: Batch) -> Losses:
        """The named sums of losses of one micro-batch that is on this device."""
        losses: Losses = self.deepspeed(batch)
        return losses

    def backward(self, total: Tensor) -> None:
        """Add the gradient of one micro-batch; at the last of a step the processes' are averaged.

        What the micro-batches are divided by is in `total` already.
        """
        self.deepspeed.backward(total, scale_wrt_gas=False)

    def step(self, step: int) -> float:
        """Update at the rate of `step` (0-based) and return the gradient's norm before clipping.

        To be called after every `backward`; all but the last of a step only count.

        Raises:
            FloatingPointError: the norm is not finite.
        """
        return self._step(step, self._share(step))

    @contextmanager
    def open_moments(self, *, changed: bool) -> Iterator[None]:
        """While it lasts, AdamW's moments are float32 under torch's names, 8-bit ones as well.

        changed: they are overwritten meanwhile. At least one step must have been taken.
        """
        packed = self.train_config.optimizer == "adamw_8bit"
        if packed:
            show_moments(self.deepspeed.basic_optimizer)
            _link_moments(self.deepspeed.optimizer)
        try:
            yield
        finally:
            if packed:
                hide_moments(self.deepspeed.basic_optimizer, changed=changed)
                _link_moments(self.deepspeed.optimizer)

    def skip_step(self) -> None:
        """As `step`, but at rate 0: the optimizer allocates its state, no weight changes."""
        self._step(0, 0.0)

    def _step(self, step: int, share: float) -> float:
        for group in self.deepspeed.basic_optimizer.param_groups:
            group["lr"] = group["peak"] * share
        boundary = self.deepspeed.is_gradient_accumulation_boundary()
        norm = self._plain_norm() if self.stage == 0 and boundary else math.nan
        if self.stage == 0 and boundary:
            _require_finite(norm, step)
        self.deepspeed.step()
        if boundary and not self._moments_linked:
            _link_moments(self.deepspeed.optimizer)
            self._moments_linked = True
        if boundary and self.stage > 0:
            norm = float(self.deepspeed.get_global_grad_norm())
            _require_finite(norm, step)
        return norm

    def _plain_norm(self) -> float:
        # DeepSpeed reports no norm without ZeRO; here the gradients are averaged and whole.
        gradients = [p.grad for p in self.trainable.values() if p.grad is not None]
        return float(torch.nn.utils.get_total_norm(gradients)) if gradients else 0.0

    def learning_rate(self, step: int) -> float:
        """The common rate of optimizer step `step` (0-based)."""
        return self.train_config.learning_rate * self._share(step)

    def learning_rates(self, step: int) -> dict[str, float]:
        """Those of `train.rates`, by prefix."""
        share = self._share(step)
        return {prefix: rate * share for prefix, rate in self.train_config.own_rates.items()}

    def _share(self, step: int) -> float:
        return learning_rate_share(
            step,
            schedule=self.train_config.schedule,
            num_steps=self.num_steps,
            warmup=self.train_config.warmup(self.num_steps),
        )

    @torch.no_grad()
    def evaluate(self, batch: Batch) -> tuple[Losses, Any]:
        """Sums of losses, and predictions, of a batch in evaluation mode.

        Through the engine, not the model inside it: under ZeRO-3 only the engine gathers a
        parameter that is read outside the module it belongs to.
        """
        self.world.beat("held-out samples")
        self.deepspeed.eval()
        losses, output = self.deepspeed(batch, with_output=True)
        self.deepspeed.train()
        return losses, output


def _require_finite(norm: float, step: int) -> None:
    if not math.isfinite(norm):
        raise FloatingPointError(
            f"step {step + 1}: the gradient norm is {norm} though every loss is finite; "
            f"no checkpoint holds this step; lower train.learning_rate or set train.bf16=false"
        )


def build_engine(
    model: nn.Module,
    criterion: Criterion,
    train: TrainConfig,
    deepspeed_config: dict[str, Any],
    *,
    num_steps: int,
    world: World,
) -> Engine:
    """Put what requires a gradient under torch's AdamW and the whole under DeepSpeed.

    `deepspeed_config` is the DeepSpeed document; batch sizes it does not name are filled in.
    Nothing is compiled: torch's AdamW serves every stage, CPU offload included.
    """
    accumulation = derive_accumulation(train.global_batch_size, train.micro_batch_size, world.size)
    document = complete_document(deepspeed_config, train, accumulation)
    stage = stage_of(document)
    if stage == 0 and train.bf16:
        raise ValueError(
            "train.bf16=true needs ZeRO 1 or higher, whose float32 master weights keep small "
            "updates: use deepspeed=zero1 (on one GPU it costs the same), or train.bf16=false"
        )
    offload = offload_of(document)
    if train.optimizer == "adamw_8bit" and (stage == 0 or offload is not None):
        where = "zero_optimization.stage=0" if stage == 0 else "zero_optimization.offload_optimizer"
        raise ValueError(
            f"train.optimizer=adamw_8bit does not go with deepspeed.{where}: use deepspeed=zero1, "
            "zero2 or zero3, or train.optimizer=adamw"
        )
    if offload == "cpu" and world.device.type == "cuda" and (threads := host_threads()):
        torch.set_num_threads(threads)
    optimizer = build_optimizer(model, train, fused=fused_adamw(world.device, train.bf16, offload))
    set_buckets(document, optimizer)
    with warnings.catch_warnings(), _no_memory_reports():
        warnings.simplefilter("ignore")
        import deepspeed
        from deepspeed.runtime.bf16_optimizer import BF16_Optimizer

        engine, _, _, _ = deepspeed.initialize(
            model=Objective(model, criterion), optimizer=optimizer, config=document
        )
    if world.size == 1 and (stage == 0 or isinstance(engine.optimizer, BF16_Optimizer)):
        engine.enable_backward_allreduce = False  # it would copy every gradient, for nobody
    if isinstance(engine.optimizer, BF16_Optimizer):
        _free_low_precision_gradients(engine)
    engine.train()
    if train.peak_tflops is None and train.bf16:
        train = replace(train, peak_tflops=peak_tflops(world.device))
    return Engine(
        engine, stage=stage, accumulation=accumulation, train=train, num_steps=num_steps,
        world=world,
    )  # fmt: skip


@contextmanager
def _no_memory_reports() -> Iterator[None]:
    """Without what `BF16_Optimizer` prints of each group of parameters.

    Each time it collects garbage, half a second, and forgets the GPU's peak.
    """
    from deepspeed.runtime import bf16_optimizer

    report = bf16_optimizer.see_memory_usage
    bf16_optimizer.see_memory_usage = lambda *_, **__: None
    try:
        yield
    finally:
        bf16_optimizer.see_memory_usage = report


def _link_moments(optimizer: Any) -> None:
    """Let DeepSpeed find the moments of each parameter, which it shows by name.

    ZeRO-1 and 2 do so behind the update of the first group, when the others have none yet.
    """
    if getattr(optimizer, "_hp_optimizer_states_linked", False):
        optimizer._hp_optimizer_states_linked = False
        optimizer._lazy_init_hp_params_optimizer_state()


def host_threads(environment: Mapping[str, str] = os.environ) -> int | None:
    """For AdamW on the host, where torchrun allows one: this process's share of the cores.

    None: somebody else chose the number. With one thread a step waits seconds for its update.
    """
    if environment.get("OMP_NUM_THREADS") != "1" or "TORCHELASTIC_RUN_ID" not in environment:
        return None
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, (cores or 1) // int(environment.get("LOCAL_WORLD_SIZE", "1")))


def fused_adamw(device: torch.device, bf16: bool, offload: str | None) -> bool:
    """In one kernel: faster, and without copies. Float32 runs on CPUs stay as they always were."""
    return device.type == "cuda" or bf16 or offload == "cpu"


def _free_low_precision_gradients(engine: Any) -> None:
    """Let go of each bfloat16 gradient once ZeRO-1 has added it to its float32 sum.

    DeepSpeed sets it to zero and keeps the memory: two bytes a parameter.
    """

    def free(parameter: nn.Parameter) -> None:
        parameter.grad = None

    for parameter in engine.module.parameters():
        if parameter.requires_grad:
            parameter.register_post_accumulate_grad_hook(free)
