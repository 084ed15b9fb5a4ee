"""What updates the trained parameters: AdamW, in groups small enough to be flattened."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from seal.training.config import TrainConfig

# DeepSpeed flattens, casts and updates one group at a time, and each of these takes a copy of it:
# of one group with everything up to 9 bytes a parameter, of a sixteenth about half a byte. A share
# and not a number of elements, so that a small model behaves as a large one does.
GROUP_SHARE = 16


def build_optimizer(model: nn.Module, train: TrainConfig, *, fused: bool) -> torch.optim.Optimizer:
    """The optimizer `train.optimizer` names, over what requires a gradient.

    Raises:
        ValueError: nothing requires a gradient, or bitsandbytes cannot be used here.
    """
    groups = parameter_groups(model, train.weight_decay)
    settings: dict[str, Any] = {
        "lr": train.learning_rate,
        "betas": (train.beta1, train.beta2),
        "eps": train.eps,
    }
    if train.optimizer == "adamw_8bit":
        return _bitsandbytes().optim.AdamW8bit(groups, **settings)
    return torch.optim.AdamW(groups, fused=fused, **settings)


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Trainable parameters for AdamW, none of the groups above a sixteenth of their elements.

    A parameter that is larger has a group of its own. Matrices decay, biases and norms do not.
    """
    trainable = [p for p in model.parameters() if p.requires_grad]
    if not trainable:
        raise ValueError("nothing to train: every parameter of the model is frozen")
    limit = group_limit(trainable)
    if not weight_decay:
        return [{"params": chunk, "weight_decay": 0.0} for chunk in _chunks(trainable, limit)]
    return [
        {"params": chunk, "weight_decay": decay}
        for decay, chosen in (
            (weight_decay, [p for p in trainable if p.ndim >= 2]),
            (0.0, [p for p in trainable if p.ndim < 2]),
        )
        for chunk in _chunks(chosen, limit)
    ]


def group_limit(parameters: Sequence[nn.Parameter]) -> int:
    """The most elements of a group that holds more than one parameter."""
    return math.ceil(sum(map(_numel, parameters)) / GROUP_SHARE)


def _chunks(parameters: Sequence[nn.Parameter], limit: int) -> list[list[nn.Parameter]]:
    """In order, as many in each as stay within `limit`."""
    chunks: list[list[nn.Parameter]] = []
    filled = 0
    for parameter in parameters:
        size = _numel(parameter)
        if not chunks or filled + size > limit:
            chunks.append([])
            filled = 0
        chunks[-1].append(parameter)
        filled += size
    return chunks


def _numel(parameter: nn.Parameter) -> int:
    # ZeRO-3 leaves an empty tensor in place of a partitioned parameter.
    return int(getattr(parameter, "ds_numel", parameter.numel()))


def _bitsandbytes() -> Any:
    from seal.models.fit.quantize import quiet_bitsandbytes

    quiet_bitsandbytes()
    try:
        import bitsandbytes
    except Exception as error:  # a broken CUDA setup raises more than ImportError
        raise ValueError(
            f"train.optimizer=adamw_8bit needs bitsandbytes, which does not load here ({error}): "
            "repair it, or set train.optimizer=adamw"
        ) from error
    return bitsandbytes
