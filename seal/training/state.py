"""Read and write the training state of an engine as whole tensors, whatever the ZeRO stage.

Whole tensors know nothing of stages, precision or number of processes, so a checkpoint written
by two GPUs under ZeRO-3 continues on one under ZeRO-0.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from seal.training.engine import Engine

# The three float32 tensors AdamW keeps for each trained parameter.
WEIGHTS = "weights"


def shapes(engine: Engine) -> dict[str, tuple[int, ...]]:
    """The whole shape of every trained parameter."""
    return {
        # ZeRO-3 leaves an empty tensor in place of a partitioned parameter.
        name: tuple(getattr(parameter, "ds_shape", parameter.shape))
        for name, parameter in engine.trainable.items()
    }


def get_tensor(engine: Engine, name: str, kind: str) -> Tensor:
    """One whole float32 tensor on the CPU; a collective call under ZeRO.

    For the optimizer's tensors at least one step must have been taken.
    """
    parameter = engine.trainable[name]
    if engine.stage == 0:
        if kind == WEIGHTS:
            return parameter.detach().float().cpu()
        moment: Tensor = engine.deepspeed.basic_optimizer.state[parameter][kind]
        return moment.detach().cpu()
    from deepspeed.utils import safe_get_full_fp32_param, safe_get_full_optimizer_state

    value: Tensor | None
    if kind == WEIGHTS:
        value = safe_get_full_fp32_param(parameter)
    else:
        value = safe_get_full_optimizer_state(parameter, kind)
    assert value is not None, f"DeepSpeed holds no {kind} of {name}"
    return value.detach().float().cpu().reshape(shapes(engine)[name])


def set_tensor(engine: Engine, name: str, kind: str, value: Tensor) -> None:
    """Overwrite one tensor with a whole one that every process passes.

    For the optimizer's tensors at least one step must have been taken (`Engine.skip_step`).
    """
    parameter = engine.trainable[name]
    value = value.to(engine.world.device)
    if engine.stage == 3:
        _set_partition(parameter, kind, value, engine)
        return
    if kind == WEIGHTS:
        parameter.data.copy_(value)
    if engine.stage == 0:
        if kind != WEIGHTS:
            engine.deepspeed.basic_optimizer.state[parameter][kind].copy_(value)
        return
    from deepspeed.utils import safe_set_full_fp32_param, safe_set_full_optimizer_state

    if kind == WEIGHTS:
        safe_set_full_fp32_param(parameter, value)
    else:
        safe_set_full_optimizer_state(parameter, value, kind)


def _set_partition(parameter: Any, kind: str, value: Tensor, engine: Engine) -> None:
    import deepspeed
    from deepspeed.utils import safe_set_local_fp32_param, safe_set_local_optimizer_state

    # The last partition is padded; DeepSpeed's setter of whole tensors does not do that.
    size = parameter.ds_tensor.numel()
    flat = torch.nn.functional.pad(value.flatten(), (0, size * engine.world.size - value.numel()))
    mine = flat[engine.world.rank * size : (engine.world.rank + 1) * size]
    if kind == WEIGHTS:
        with deepspeed.zero.GatheredParameters([parameter], modifier_rank=0):
            parameter.data.copy_(value)
        safe_set_local_fp32_param(parameter, mine)
    else:
        safe_set_local_optimizer_state(parameter, mine, kind)


def set_optimizer_step(engine: Engine, steps: int) -> None:
    """Set how many updates AdamW believes it has made (its bias correction depends on it)."""
    for state in engine.deepspeed.basic_optimizer.state.values():
        if isinstance(state["step"], Tensor):
            state["step"].fill_(steps)
        else:
            state["step"] = steps
