"""What updates the trained parameters: AdamW, in groups small enough to be flattened."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
    groups = parameter_groups(model, train)
    settings: dict[str, Any] = {
        "lr": train.learning_rate,
        "betas": (train.beta1, train.beta2),
        "eps": train.eps,
    }
    if train.optimizer == "adamw_8bit":
        return _bitsandbytes().optim.AdamW8bit(groups, **settings)
    return torch.optim.AdamW(groups, fused=fused, **settings)


def parameter_groups(model: nn.Module, train: TrainConfig) -> list[dict[str, Any]]:
    """Trainable parameters for AdamW, none of the groups above a sixteenth of their elements.

    A parameter that is larger has a group of its own. Matrices decay, biases and norms do not.
    `peak` of a group is its learning rate at the end of the warm-up.

    Raises:
        ValueError: nothing requires a gradient, or `train.rates` names nothing that does.
    """
    trained = require_trained(model)
    peaks = peak_rates(list(trained), train.own_rates, train.learning_rate)
    limit = group_limit(list(trained.values()))
    groups: list[dict[str, Any]] = []
    for peak in dict.fromkeys(peaks.values()):
        chosen = [p for name, p in trained.items() if peaks[name] == peak]
        for decay, decaying in _by_decay(chosen, train.weight_decay):
            groups += [
                {"params": chunk, "weight_decay": decay, "lr": peak, "peak": peak}
                for chunk in chunks(decaying, limit)
            ]
    return groups


def require_trained(model: nn.Module) -> dict[str, nn.Parameter]:
    """What requires a gradient, by name; a ValueError if nothing does."""
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not trained:
        raise ValueError("nothing to train: every parameter of the model is frozen")
    return trained


def peak_rates(
    names: Sequence[str], rates: Mapping[str, float], otherwise: float
) -> dict[str, float]:
    """The learning rate of each parameter: of the longest prefix of its name, or the common one.

    A prefix ends where a part of the name does: `llm.model` is none of `llm.model_2.weight`.

    Raises:
        ValueError: a prefix is of none of the names.
    """

    def begins(name: str, prefix: str) -> bool:
        return f"{name}.".startswith(f"{prefix}.")

    for prefix in rates:
        if not any(begins(name, prefix) for name in names):
            parts = ", ".join(dict.fromkeys(name.split(".")[0] for name in names))
            raise ValueError(
                f"train.rates.{prefix}={rates[prefix]:g} is the rate of nothing that is trained; "
                f"trained parts: {parts}; train.rates.{prefix}=null takes it back"
            )
    longest_first = sorted(rates, key=len, reverse=True)
    return {
        name: next((rates[p] for p in longest_first if begins(name, p)), otherwise)
        for name in names
    }


def _by_decay(
    parameters: Sequence[nn.Parameter], weight_decay: float
) -> list[tuple[float, list[nn.Parameter]]]:
    if not weight_decay:
        return [(0.0, list(parameters))]
    matrices = [p for p in parameters if p.ndim >= 2]
    return [(weight_decay, matrices), (0.0, [p for p in parameters if p.ndim < 2])]


def group_limit(parameters: Sequence[nn.Parameter]) -> int:
    """The most elements of a group that holds more than one parameter."""
    return math.ceil(sum(map(_numel, parameters)) / GROUP_SHARE)


def chunks(parameters: Sequence[nn.Parameter], limit: int) -> list[list[nn.Parameter]]:
    """In order, as many in each as stay within `limit`."""
    found: list[list[nn.Parameter]] = []
    filled = 0
    for parameter in parameters:
        size = _numel(parameter)
        if not found or filled + size > limit:
            found.append([])
            filled = 0
        found[-1].append(parameter)
        filled += size
    return found


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
