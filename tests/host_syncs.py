"""Count, on a machine without a GPU, the calls at which a GPU's host would stand still and wait.

Everything runs on the CPU; counted is what would read a device tensor: a number taken out of it, a
copy to the host, a shape that depends on values (`nonzero`, masks as indices, `unique`), and a
blocking copy of a host's tensor or list to the device. On the host is what was made of a list or
array there or copied there, and what is computed from such tensors alone; it may be read freely.

As all devices are one here, `.to("cpu")` goes to the host, `.to(x.device)` to the device.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_VALUE_SHAPED = (
    "nonzero", "unique", "_unique", "masked_select", "bincount", "repeat_interleave",
    "combinations", "argwhere",
)  # fmt: skip
_READ = ("_local_scalar_dense", "equal", "is_nonzero")
_TO_HOST = ("cpu", "tolist", "numpy")
_FROM_LIST = (torch.tensor, torch.as_tensor, torch.from_numpy, Tensor.new_tensor)


class HostSyncs(list[str]):
    """What was counted, each with the line of ours it came from."""

    def note(self, what: str) -> None:
        self.append(f"{what} at {_place()}")


@contextmanager
def host_syncs() -> Iterator[HostSyncs]:
    """Count in this block, the backward passes run in it included (they run on this thread)."""
    syncs = HostSyncs()
    functions = _Functions(syncs)
    with _Operations(syncs, functions), functions:
        yield syncs


class _Functions(TorchFunctionMode):
    """Sees the calls Python makes: reads that reach no operation on a CPU, and what is on the host.

    Tensors carry the mark themselves; a copy to the host is a new object, so the original stays on
    the "device".
    """

    def __init__(self, syncs: HostSyncs) -> None:
        super().__init__()
        self.syncs = syncs
        self.quiet = False  # inside a call that was counted, or that works on the host

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        on_host = bool(tensors) and all(getattr(t, "on_host", False) for t in tensors)
        name = getattr(func, "__name__", "")
        outer, self.quiet = self.quiet, self.quiet or on_host
        try:
            if name in _TO_HOST or (name == "to" and "cpu" in (*args[1:], kwargs.get("device"))):
                if not self.quiet:
                    self.syncs.note(name)
                self.quiet = True
                result = func(*args, **kwargs)
                return _marked(args[0].clone() if result is args[0] else result)
            if name == "to" and on_host and _names_device(args[1:], kwargs):
                if not kwargs.get("non_blocking"):
                    self.syncs.note("blocking copy to the device")
                return args[0].clone()  # without the mark
            if func in _FROM_LIST and not tensors[func is Tensor.new_tensor :]:
                self.quiet = True
                if "device" not in kwargs and func is not Tensor.new_tensor:
                    return _marked(func(*args, **kwargs))
                self.syncs.note(f"{name} of a list")
            result = func(*args, **kwargs)
            return _marked(result) if on_host else result
        finally:
            self.quiet = outer


class _Operations(TorchDispatchMode):
    """Sees the operations, those of a backward pass as well."""

    def __init__(self, syncs: HostSyncs, functions: _Functions) -> None:
        super().__init__()
        self.syncs = syncs
        self.functions = functions

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if not self.functions.quiet and (what := _waits(func, args, kwargs or {})):
            self.syncs.note(what)
        return func(*args, **kwargs or {})


def _waits(func: Any, args: Any, kwargs: dict[str, Any]) -> str | None:
    name = func._schema.name.removeprefix("aten::")
    if name in _READ:
        return name
    if name.startswith(_VALUE_SHAPED):
        # Where the size is told, nothing has to be counted.
        return None if kwargs.get("output_size") is not None else name
    if name.startswith("index") and len(args) > 1 and isinstance(args[1], list | tuple):
        masks = [
            i for i in args[1] if isinstance(i, Tensor) and i.dtype in (torch.bool, torch.uint8)
        ]
        # One value written through a mask is a `masked_fill`.
        filled = "put" in name and args[2].numel() == 1
        return f"{name} by a mask" if masks and not filled else None
    return None


def _names_device(args: Any, kwargs: dict[str, Any]) -> bool:
    return any(isinstance(value, str | torch.device) for value in (*args, kwargs.get("device")))


def _marked(result: Any) -> Any:
    for leaf in tree_leaves(result):
        if isinstance(leaf, Tensor):
            leaf.on_host = True  # type: ignore[attr-defined]
    return result


def _place() -> str:
    """The innermost line that is not of this file or of a library."""
    frame = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if name != __file__ and "site-packages" not in name and "<" not in name:
            return f"{name.rpartition('/')[2]}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]
    return "a backward pass"
