"""Seconds that parts of a model take while it answers, and what its cache holds then."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from types import TracebackType
from typing import Any

from torch import Tensor, nn
from transformers import DynamicCache

from seal.evaluation.speed.meter import MemoryMeter
from seal.models.vqa import VQAModel

PARTS = ("tower", "router", "reading", "writing")


class PartClock:
    """Within a `with`: seconds by part, on a GPU each waited for.

    tower: the vision tower. router: all that chooses a level. reading: the language model's passes
    over more than one position a row. writing: those over one.
    """

    def __init__(self, model: VQAModel, meter: MemoryMeter, now: Callable[[], float]) -> None:
        """`now`: seconds of some clock."""
        self.seconds: dict[str, float] = defaultdict(float)
        self.prefix_bytes = 0  # of the keys and values that the first reading left
        self._model, self._meter, self._now = model, meter, now
        self._handles: list[Any] = []
        self._started = 0.0

    def __enter__(self) -> PartClock:
        parts = [("tower", self._model.vision_tower), ("", self._model.llm.model)]
        if self._model.router is not None:
            parts.append(("router", self._model.router))
        for name, module in parts:
            self._watch(name, module)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for handle in self._handles:
            handle.remove()

    def _watch(self, name: str, module: nn.Module) -> None:
        def begin(module: nn.Module, args: Any, given: dict[str, Any]) -> None:
            self._meter.wait()
            self._started = self._now()

        def end(module: nn.Module, args: Any, given: dict[str, Any], made: Any) -> None:
            self._meter.wait()
            spent = self._now() - self._started
            if name:
                self.seconds[name] += spent
                return
            inputs = given.get("inputs_embeds", given.get("input_ids"))
            assert isinstance(inputs, Tensor)
            reads = inputs.shape[1] > 1
            self.seconds["reading" if reads else "writing"] += spent
            if reads and not self.prefix_bytes:
                self.prefix_bytes = sum(
                    cache_bytes(value)
                    for value in given.values()
                    if isinstance(value, DynamicCache)
                )

        self._handles += [
            module.register_forward_pre_hook(begin, with_kwargs=True),
            module.register_forward_hook(end, with_kwargs=True),
        ]


def cache_bytes(cache: DynamicCache) -> int:
    """Of the keys and values that a cache holds."""
    layers: list[Any] = cache.layers
    tensors = [tensor for layer in layers for tensor in (layer.keys, layer.values)]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
