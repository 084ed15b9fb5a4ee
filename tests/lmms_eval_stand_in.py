"""What SEAL's plug-in uses of lmms-eval 0.7, for machines that do not have it."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest


@dataclass
class Instance:
    request_type: str
    arguments: tuple
    idx: int
    metadata: dict[str, Any] = field(default_factory=dict)
    task_name: str | None = None
    doc_id: int | None = None

    def __post_init__(self) -> None:
        self.task_name, self.doc_id = self.metadata["task"], self.metadata["doc_id"]

    @property
    def args(self) -> tuple:
        return self.arguments


@dataclass
class TokenCounts:
    input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None


@dataclass
class GenerationResult:
    text: Any
    token_counts: TokenCounts | None = None


class Cache:
    def add_partial(self, attr: str, req: Any, res: Any) -> None:
        """Nothing is kept."""


class LMM:
    is_simple = True

    def __init__(self) -> None:
        self._rank, self._world_size = 0, 1
        self.cache_hook = Cache()
        self.task_dict: dict[str, Any] = {}


@dataclass(frozen=True)
class ModelManifest:
    model_id: str
    simple_class_path: str | None = None
    chat_class_path: str | None = None
    aliases: tuple[str, ...] = ()


def lmms_eval_or_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `import lmms_eval` work, with the real one where it is installed."""
    if importlib.util.find_spec("lmms_eval") is not None:
        return
    content: dict[str, dict[str, Any]] = {
        "lmms_eval": {},
        "lmms_eval.api": {},
        "lmms_eval.api.instance": {
            "Instance": Instance, "TokenCounts": TokenCounts, "GenerationResult": GenerationResult,
        },
        "lmms_eval.api.model": {"lmms": LMM},
        "lmms_eval.models": {},
        "lmms_eval.models.registry_v2": {"ModelManifest": ModelManifest},
    }  # fmt: skip
    for name, values in content.items():
        module = ModuleType(name)
        module.__dict__.update(values)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "seal.evaluation.harness.lmms_eval", raising=False)
