"""Parts of a network recorded once a shape, as CUDA graphs, and replayed: nothing is launched anew.

A GPU that works on one crop at a time waits for its host, which launches thousands of small pieces
of work a crop; a graph is launched as one. Must give what calling the function gives, to the bit.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

Outputs: TypeAlias = "Tensor | tuple[Tensor, ...]"
Function: TypeAlias = Callable[..., Outputs]
MOST_RECORDED = 32  # functions times shapes
MOST_ROWS = 4  # of a call: more of them keep a GPU busy for longer than launching takes
_WARM_UPS = 2  # calls that make what is made only once, before a recording
_FIRST_RECORDED = 2  # at which call of a shape: what comes once is not worth it


@dataclass(frozen=True, slots=True)
class Recording:
    """A function's work on fixed inputs, to be done again at any time."""

    replay: Callable[[], Any]  # reads the inputs, writes the outputs, where they always are
    outputs: Outputs


Record: TypeAlias = Callable[[Function, "tuple[Tensor, ...]"], Recording]


class Graphs:
    """The recordings of a model's functions; those used last are kept.

    One thread at a time may call: outputs lie where the next call of the same shape puts its own,
    from where they are copied.
    """

    def __init__(
        self,
        record: Record | None,
        *,
        most: int = MOST_RECORDED,
        most_rows: int = MOST_ROWS,
        tell: Callable[[str], None] = print,
    ) -> None:
        """
        Args:
            record: None: every function is simply called.
            most: recordings kept.
            most_rows: calls with a longer first input are simply calls.
            tell: told once of each function that cannot be recorded, which is then called as well.
        """
        self._record, self._most, self._tell = record, most, tell
        self.most_rows = most_rows
        self._kept: OrderedDict[tuple[Any, ...], _Shape] = OrderedDict()
        self.failed: dict[str, str] = {}  # by the name of a function: why it is not recorded
        self.num_recorded = 0
        self.num_replayed = 0

    @classmethod
    def on(cls, device: torch.device) -> Graphs:
        """CUDA graphs on a CUDA device, elsewhere none."""
        return cls(CudaRecorder() if device.type == "cuda" else None)

    @property
    def records(self) -> bool:
        return self._record is not None

    @property
    def num_kept(self) -> int:
        """Shapes of inputs that are remembered, recorded or not."""
        return len(self._kept)

    def captured(self, name: str, function: Function) -> Captured:
        """`function` of tensors alone, which reads nothing from them on the host and whose result
        depends on nothing else that changes; what it writes elsewhere, a replay writes as well.
        """
        return Captured(self, name, function)

    def clear(self) -> None:
        """Let go of all recordings and their memory; needed when weights have moved."""
        self._kept.clear()

    def call(self, captured: Captured, inputs: tuple[Tensor, ...]) -> Outputs:
        """What `captured.function` gives, from a recording if there is one or one is worth it."""
        record = self._record
        if record is None or captured.name in self.failed or len(inputs[0]) > self.most_rows:
            return captured.function(*inputs)
        key = (captured, *((each.shape, each.dtype, each.device) for each in inputs))
        shape = self._kept.setdefault(key, _Shape())
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        shape.calls += 1
        if shape.recording is None and shape.calls >= _FIRST_RECORDED:
            self._try(record, shape, captured, inputs)
        if shape.recording is None:
            return captured.function(*inputs)
        for fixed, given in zip(shape.inputs, inputs, strict=True):
            fixed.copy_(given)
        shape.recording.replay()
        self.num_replayed += 1
        outputs = shape.recording.outputs
        return tuple(map(Tensor.clone, outputs)) if isinstance(outputs, tuple) else outputs.clone()

    def _try(
        self, record: Record, shape: _Shape, captured: Captured, inputs: tuple[Tensor, ...]
    ) -> None:
        """Record, or note why that cannot be done."""
        with torch.inference_mode(False):  # or they could be written in inference mode alone
            shape.inputs = tuple(torch.empty_like(each) for each in inputs)
        for fixed, given in zip(shape.inputs, inputs, strict=True):
            fixed.copy_(given)
        try:
            shape.recording = record(captured.function, shape.inputs)
        except RuntimeError as error:
            if isinstance(error, torch.OutOfMemoryError):
                self._record = None
                self.clear()
            reason = (str(error) or type(error).__name__).splitlines()[0]
            self.failed[captured.name] = reason
            what = captured.name if self._record is not None else "anything"
            self._tell(f"{what} is not recorded as a CUDA graph but called: {reason}")
        else:
            self.num_recorded += 1


class Captured:
    """A function of tensors that is called as before; see `Graphs.captured`."""

    def __init__(self, graphs: Graphs, name: str, function: Function) -> None:
        self.name, self.function = name, function
        self._graphs = graphs

    def __call__(self, *inputs: Tensor) -> Any:
        return self._graphs.call(self, inputs)


class CudaRecorder:
    """Records CUDA graphs, all in one memory: one of them works at a time."""

    def __init__(self) -> None:
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, function: Function, inputs: tuple[Tensor, ...]) -> Recording:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UPS):
                function(*inputs)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        # Of this thread alone: others prepare pixels, which takes pinned memory.
        with torch.cuda.graph(
            graph, pool=self._pool, stream=stream, capture_error_mode="thread_local"
        ):
            outputs = function(*inputs)
        return Recording(graph.replay, outputs)


@dataclass(slots=True)
class _Shape:
    """Inputs of one shape to one function."""

    calls: int = 0
    inputs: tuple[Tensor, ...] = ()
    recording: Recording | None = None
