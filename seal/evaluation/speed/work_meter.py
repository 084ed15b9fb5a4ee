"""What goes through a search model's networks, whoever runs them: passes, positions, pictures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from torch import nn
from torch.utils.hooks import RemovableHandle

from seal.models.vsm import VSM


@dataclass(slots=True)
class Work:
    """Counts."""

    llm_passes: int = 0  # through the language model's blocks, however many rows are in one
    llm_tokens: int = 0  # positions through them, padding and pictures included
    head_rows: int = 0  # positions whose logits are made
    vision_pictures: int = 0
    detector_pictures: int = 0

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


class WorkMeter:
    """Counts within a `with`. A captured CUDA graph runs no Python, so nothing in it is counted."""

    def __init__(self, model: VSM) -> None:
        self.model = model
        self.work = Work()
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> WorkMeter:
        width = self.model.config.llm.hidden_size
        llm, work = self.model.llm, self.work

        def read(module: nn.Module, given: tuple[Any, ...]) -> None:
            work.llm_passes += 1
            work.llm_tokens += given[0].numel() // width

        def predicted(module: nn.Module, given: tuple[Any, ...]) -> None:
            work.head_rows += given[0].numel() // width

        def shown(module: nn.Module, given: tuple[Any, ...]) -> None:
            work.vision_pictures += len(given[0])

        def searched(module: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
            work.detector_pictures += len(given[0] if given else named["pixel_values"])

        detector = self.model.detector.vision_model
        self._handles = [
            # A block's MLP: whatever is done about attention and caches, each position goes there.
            llm.model.layers[0].mlp.register_forward_pre_hook(read),
            llm.lm_head.register_forward_pre_hook(predicted),
            self.model.vision_tower.register_forward_pre_hook(shown),
            detector.register_forward_pre_hook(searched, with_kwargs=True),
        ]
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()
