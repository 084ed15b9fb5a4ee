"""Ways to train on the same samples: ours, the original's, and ours without one part of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from seal.batch import Batch
from seal.models.vlm import VLM
from seal.training.config import TrainConfig


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is done with the samples of a step."""

    changes: dict[str, Any] = field(default_factory=dict)  # of the training's settings
    all_logits: bool = False  # of every position, in float32; else of those that carry a label
    own_micro_batch: bool = True  # train.micro_batch_size; else the original's

    def train(self, train: TrainConfig, original_micro_batch_size: int) -> TrainConfig:
        """`train` with this recipe's batches."""
        size = train.micro_batch_size if self.own_micro_batch else original_micro_batch_size
        return replace(train, micro_batch_size=size, **self.changes)

    def prepare(self, model: VLM) -> None:
        """Change in `model` what the recipe does otherwise, in place."""
        if self.all_logits:
            head = model.llm.lm_head

            def supervised_logits(batch: Batch, hidden: Tensor) -> Tensor:
                logits = head(hidden).float().flatten(0, 1)
                return logits.index_select(0, batch.label_positions)

            model.supervised_logits = supervised_logits  # type: ignore[method-assign]


RECIPES = {
    "ours": Recipe(),
    "original": Recipe(
        {
            "batching": "padded",
            "dealing": "stream",
            "averaging": "micro_batch",
            "optimizer": "adamw",
            "recompute_every": 1,
            "liger": "false",
            "compile": False,
        },
        all_logits=True,
        own_micro_batch=False,
    ),
    # One difference to ours: every conversation is a row of its own.
    "separate_rows": Recipe({"batching": "padded"}),
}
