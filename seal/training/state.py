"""The parts of the training state that this process holds, whatever the ZeRO stage.

A part is a range of the elements of one flattened tensor. The parts of all processes cover each
tensor exactly once, so a checkpoint, which holds whole tensors, knows nothing of stages or of the
number of processes: what two GPUs wrote under ZeRO-3 continues on one under ZeRO-0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch.distributed as dist
from torch import Tensor

from seal.training.checkpoint_store import KINDS
from seal.training.engine import Engine
from seal.training.tensor_file import Shapes, count

WEIGHTS = KINDS[0]  # the other two are AdamW's moments, by its own names


@dataclass(frozen=True, slots=True)
class Fragment:
    """Elements `begin` to `end` of a flattened tensor."""

    name: str
    begin: int
    end: int


def shapes(engine: Engine) -> dict[str, tuple[int, ...]]:
    """The whole shape of every trained parameter."""
    return {name: _shape(parameter) for name, parameter in engine.trainable.items()}


def _shape(parameter: Any) -> tuple[int, ...]:
    # ZeRO-3 leaves an empty tensor in place of a partitioned parameter.
    return tuple(getattr(parameter, "ds_shape", parameter.shape))


class EngineState:
    """What this process holds of the state of an engine; names and ranges are looked up once.

    For the optimizer's tensors at least one step must have been taken (`Engine.skip_step`).

    Attributes:
        shapes: the whole shape of every trained parameter.
        own: the parts this process writes and reads.

    Raises:
        ValueError: the optimizer's state lies where it cannot be reached.
    """

    def __init__(self, engine: Engine) -> None:
        if engine.stage == 3 and engine.deepspeed.optimizer.swap_optimizer:
            raise ValueError(
                "deepspeed.zero_optimization.offload_optimizer.device=nvme: its state cannot be "
                "saved; use device: cpu"
            )
        self._engine = engine
        self._parameters: dict[str, Any] = dict(engine.trainable)
        self.shapes = {name: _shape(parameter) for name, parameter in self._parameters.items()}
        self.own = self._fragments(engine.world.rank)

    def view(self, fragment: Fragment, kind: str) -> Tensor:
        """The living elements of one of `own`; (end - begin,), to be copied from or into."""
        parameter = self._parameters[fragment.name]
        if self._engine.stage == 0:
            whole = parameter.data if kind == WEIGHTS else self._moments(parameter)[kind]
            return whole.view(-1)[fragment.begin : fragment.end]
        mine: Tensor
        if self._engine.stage == 3:
            key = None if kind == WEIGHTS else kind
            optimizer = self._engine.deepspeed.optimizer
            mine, _ = optimizer._get_fp32_opt_state_partition(parameter, True, key)
            mine = mine[: fragment.end - fragment.begin]  # less the padding of the last process
        else:
            mine = parameter._hp_mapping.get_hp_fragment(None if kind == WEIGHTS else kind)
        return mine.detach()

    def settle(self, step: int) -> None:
        """After all of `own` were overwritten: hand the weights to where they are computed with.

        Collective.

        Args:
            step: updates AdamW believes it has made; its bias correction depends on it.
        """
        if self._engine.stage == 0:
            self._share_out()
        elif self._engine.stage == 3:
            self._refill_partitions()
        else:
            self._engine.deepspeed.optimizer.update_lp_params()
        _set_optimizer_step(self._engine, step)

    def _fragments(self, rank: int) -> list[Fragment]:
        if self._engine.stage == 0:
            return share(self.shapes, rank, self._engine.world.size)
        found = []
        for name, parameter in self._parameters.items():
            if self._engine.stage == 3:
                size = parameter.ds_tensor.numel()
                begin = min(rank * size, parameter.ds_numel)
                end = min(begin + size, parameter.ds_numel)
            elif parameter._hp_mapping is None:  # all of it lies with others
                continue
            else:
                address = parameter._hp_mapping.lp_fragment_address
                begin, end = address.start, address.start + address.numel
            if begin < end:
                found.append(Fragment(name, begin, end))
        return found

    def _moments(self, parameter: Any) -> dict[str, Tensor]:
        moments: dict[str, Tensor] = self._engine.deepspeed.basic_optimizer.state[parameter]
        return moments

    def _share_out(self) -> None:
        """Without ZeRO everybody holds everything; each has read a share."""
        world = self._engine.world
        if world.size == 1:
            return
        for source in range(world.size):
            for fragment in self._fragments(source):
                for kind in KINDS:
                    dist.broadcast(self.view(fragment, kind), source)

    def _refill_partitions(self) -> None:
        """As DeepSpeed does after an update under ZeRO-3."""
        optimizer = self._engine.deepspeed.optimizer
        optimizer._partition_all_parameters()
        for index in range(len(optimizer.fp16_groups)):
            optimizer._reassign_or_swap_out_partitioned_parameters(index)
        if persistent := optimizer.persistent_parameters:
            persistent[0].all_gather(persistent)
        optimizer.invalidate_secondary_tensor()


def share(shapes: Shapes, rank: int, size: int) -> list[Fragment]:
    """An equal range of all elements for each of `size` processes."""
    total = sum(map(count, shapes.values()))
    first, last = total * rank // size, total * (rank + 1) // size
    found = []
    offset = 0
    for name, shape in shapes.items():
        begin = max(first - offset, 0)
        end = min(last - offset, count(shape))
        if begin < end:
            found.append(Fragment(name, begin, end))
        offset += count(shape)
    return found


def _set_optimizer_step(engine: Engine, steps: int) -> None:
    for state in engine.deepspeed.basic_optimizer.state.values():
        if isinstance(state["step"], Tensor):
            state["step"].fill_(steps)
        else:
            state["step"] = steps
