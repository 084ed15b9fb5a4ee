"""The numbers of a training run: batch, optimizer, schedule, intervals."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

OPTIMIZERS = ("adamw", "adamw_8bit")
SCHEDULES = ("linear", "cosine", "constant")
WANDB_MODES = ("off", "offline", "online")
LIGER = ("auto", "true", "false")
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
AVERAGINGS = ("step", "micro_batch")
BATCHINGS = ("packed", "padded")
DEALINGS = ("balanced", "stream")

# Fields that may differ between a checkpoint and the run that continues it: they change how a
# run is carried out or watched, not one number of it (kernels and compiled blocks round apart).
FREE_FIELDS = frozenset(
    (
        "log_every",
        "save_every",
        "keep",
        "save_in_background",
        "validate_every",
        "validation_samples",
        "gradient_checkpointing",
        "recompute_every",
        "liger",
        "compile",
        "workers",
        "prefetch",
        "peak_tflops",
        "wandb",
        "wandb_project",
        "tensorboard",
        "best",
        "push_to_hub",
        "validation_seed",
        "stop_after",
        "max_hours",
        "timeout_minutes",
        "max_bad_samples",
        "gradient_checkpointing",
    )
)


@dataclass(kw_only=True, slots=True)
class TrainConfig:
    """How long, how fast and how much at once. Exactly one of num_steps and num_epochs is set."""

    num_steps: int | None = None  # optimizer steps
    num_epochs: float | None = None  # passes over the mixture instead
    global_batch_size: int = 64  # samples in one optimizer step, over all processes
    micro_batch_size: int = 8  # samples in one forward pass of one process; balanced: on average
    # What a sum of losses is divided by. step: the labels of the whole step, so that neither
    # micro_batch_size nor the number of processes changes the recipe; micro_batch: those of the
    # micro-batch, as the original did.
    averaging: str = "step"
    # packed: conversations one behind the other, expressions behind one image; padded: a row each,
    # filled up to the longest. The same numbers up to rounding, but for the dropout of adapters:
    # what expressions share has one draw for all.
    batching: str = "packed"
    # balanced: a step's samples are dealt by tokens, so that no process waits; stream: in order.
    dealing: str = "balanced"
    learning_rate: float = 1e-4  # at the end of the warm-up
    # Others by the beginning of a parameter's name, e.g. {vision_tower: 2e-5}: the same schedule.
    # null takes one back.
    rates: dict[str, float | None] = field(default_factory=dict)
    schedule: str = "cosine"  # linear | cosine | constant; the first two end at 0
    warmup_steps: int = 0  # steps of linear rise
    warmup_ratio: float = 0.0  # the same as a share of all steps; only one of the two
    optimizer: str = "adamw"  # adamw | adamw_8bit: moments in one byte each (bitsandbytes)
    beta1: float = 0.9  # AdamW
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0  # on matrices; never on biases and norms
    gradient_clipping: float = 1.0  # global 2-norm; 0: off
    bf16: bool = True  # weights and activations in bfloat16, master weights in float32
    gradient_checkpointing: bool = False  # recompute the LLM's blocks in the backward pass
    recompute_every: int = 1  # with it: every n-th block only; more memory, less arithmetic
    liger: str = "auto"  # fused kernels of liger-kernel: auto (where installed, CUDA)|true|false
    compile: bool = False  # torch.compile of each block of the LLM; not under ZeRO-3
    log_every: int = 1  # steps; a line holds means over the steps since the last
    save_every: int = 500  # steps between checkpoints; the last step is always saved
    keep: int = 2  # newest checkpoints that stay on disk
    save_in_background: bool = True  # copied to host memory first; false: training waits instead
    validate_every: int = 0  # steps, the untrained model first; 0: only at the end
    validation_samples: int = 0  # held-out samples read each time; 0: no validation
    validation_seed: int = 0  # which ones; not the run's, so that runs are compared on the same
    # A number of the validation: the checkpoint with the best one stays, and checkpoints/best names
    # it. Losses are better lower, others higher, and those with a minus in front lower.
    best: str | None = None  # e.g. validation/loss or validation/cIoU; None: none is kept
    stop_after: int | None = None  # stop at this step with a checkpoint, schedule unchanged
    max_hours: float | None = None  # of one start; then a checkpoint and exit 0, to be continued
    timeout_minutes: float = 30.0  # a process that hangs for so long ends the run and is named
    max_bad_samples: int = 0  # over the run: unreadable images that are named and replaced
    workers: int = 4  # processes that prepare samples; 0: in this one
    prefetch: int = 2  # batches each worker keeps ready
    peak_tflops: float | None = None  # of one GPU, for the MFU in the log; None: of its kind
    wandb: str = "off"  # off | offline | online
    wandb_project: str = "seal"
    tensorboard: bool = False  # write event files to RUN/tensorboard
    push_to_hub: str | None = None  # owner/name; a finished run's model goes there, private

    def __post_init__(self) -> None:
        if (self.num_steps is None) == (self.num_epochs is None):
            raise ValueError(
                f"set exactly one of train.num_steps and train.num_epochs, "
                f"got {self.num_steps} and {self.num_epochs}"
            )
        for name in ("num_steps", "num_epochs", "stop_after", "max_hours", "timeout_minutes"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"train.{name} must be positive, got {value}")
        for name in ("global_batch_size", "micro_batch_size", "log_every", "save_every", "keep"):
            if getattr(self, name) < 1:
                raise ValueError(f"train.{name} must be at least 1, got {getattr(self, name)}")
        for name in (
            "validate_every",
            "validation_samples",
            "workers",
            "warmup_steps",
            "max_bad_samples",
        ):
            if getattr(self, name) < 0:
                raise ValueError(f"train.{name} must not be negative, got {getattr(self, name)}")
        for name, known in (
            ("schedule", SCHEDULES),
            ("optimizer", OPTIMIZERS),
            ("wandb", WANDB_MODES),
            ("averaging", AVERAGINGS),
            ("batching", BATCHINGS),
            ("dealing", DEALINGS),
        ):
            if getattr(self, name) not in known:
                value = getattr(self, name)
                raise ValueError(f"train.{name}={value!r} is none of {', '.join(known)}")
        self.liger = str(self.liger).lower()  # YAML reads true as a truth value
        if self.liger not in LIGER:
            raise ValueError(f"train.liger={self.liger!r} is none of {', '.join(LIGER)}")
        if self.recompute_every < 1:
            raise ValueError(
                f"train.recompute_every must be at least 1, got {self.recompute_every}"
            )
        if self.recompute_every > 1 and not self.gradient_checkpointing:
            raise ValueError(
                f"train.recompute_every={self.recompute_every} says which blocks are recomputed, "
                "but train.gradient_checkpointing=false recomputes none: set it to true, or leave "
                "recompute_every at 1"
            )
        if self.warmup_steps and self.warmup_ratio:
            raise ValueError(
                f"set only one of train.warmup_steps={self.warmup_steps} and "
                f"train.warmup_ratio={self.warmup_ratio}"
            )
        if not 0 <= self.warmup_ratio < 1:
            raise ValueError(f"train.warmup_ratio must be in [0, 1), got {self.warmup_ratio}")
        for prefix, rate in self.own_rates.items():
            if rate <= 0:
                raise ValueError(
                    f"train.rates.{prefix} must be positive, got {rate}; what is not to be "
                    "trained is frozen by the stage"
                )
        self._check_watching()

    def _check_watching(self) -> None:
        if self.best is not None and not self.best.removeprefix("-").startswith("validation/"):
            raise ValueError(
                f"train.best={self.best!r} is no number of the validation: write "
                f"train.best=validation/{self.best.removeprefix('-')}, for example"
            )
        if self.best is not None and not (self.validate_every and self.validation_samples):
            raise ValueError(
                f"train.best={self.best} chooses among validations; set train.validate_every and "
                "train.validation_samples as well, or train.best=null"
            )
        if self.push_to_hub is not None and not _HUB_NAME.fullmatch(self.push_to_hub):
            raise ValueError(
                f"train.push_to_hub={self.push_to_hub!r} is no name on the hub; write owner/name"
            )

    @property
    def own_rates(self) -> dict[str, float]:
        """Those of `rates` that were not taken back."""
        return {prefix: rate for prefix, rate in self.rates.items() if rate is not None}

    def steps(self, epoch_size: int) -> int:
        """Optimizer steps of the whole run; a last partial batch is filled from the next epoch."""
        if self.num_steps is not None:
            return self.num_steps
        assert self.num_epochs is not None
        return max(1, -(-round(self.num_epochs * epoch_size) // self.global_batch_size))

    def warmup(self, num_steps: int) -> int:
        """Steps of linear rise in a run of `num_steps`."""
        return self.warmup_steps or round(self.warmup_ratio * num_steps)


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested configuration as `a.b.c` -> value."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = list(value) if isinstance(value, tuple) else value
    return flat


def derive_accumulation(global_batch_size: int, micro_batch_size: int, world_size: int) -> int:
    """Micro-batches each process runs for one optimizer step."""
    at_once = micro_batch_size * world_size
    if global_batch_size % at_once:
        nearest = max(1, global_batch_size // at_once) * at_once
        raise ValueError(
            f"global_batch_size={global_batch_size} is not a multiple of "
            f"micro_batch_size={micro_batch_size} x world_size={world_size} = {at_once}; "
            f"nearest: {nearest}"
        )
    return global_batch_size // at_once
