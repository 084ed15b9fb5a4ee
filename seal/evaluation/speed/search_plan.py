"""Which searches `eval/speed` measures, and where each is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seal.evaluation.speed.config import SpeedConfig
from seal.evaluation.speed.levers import BARE, FORCED_CUE, Levers, chosen_paths, reference_of

FLOAT32 = "float32"  # of the searches that all others are compared with
# What a search's figures do not depend on.
_ELSEWHERE = (
    "out", "precisions", "ways", "batches", "repeats", "sizes", "answer_tokens", "image_size",
    "warmup", "memory_limit_gb", "dtype", "limit", "questions", "most_minutes",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Leg:
    """One path, for one time."""

    name: str
    levers: Levers | None
    repeat: int


def search_dtype(config: SpeedConfig) -> str:
    """In which the paths are measured: what a device's models are loaded in if nothing is said."""
    if config.dtype is not None:
        return config.dtype
    return FLOAT32 if config.device == "cpu" else "bfloat16"


def planned_legs(config: SpeedConfig) -> dict[str, list[Leg]]:
    """By type, in the order they are measured in: repeat by repeat, each path in turn.

    What the paths are compared with is measured in float32 as well where they are not in it.
    """
    assert config.device is not None
    paths = chosen_paths(config.ways, config.batches, config.device)
    dtype = search_dtype(config)
    legs: dict[str, list[Leg]] = {}
    if dtype != FLOAT32:
        references = {reference_of(levers) for levers in paths.values()}
        legs[FLOAT32] = [Leg(n, paths[n], 0) for n in (BARE, FORCED_CUE) if n in references]
    legs[dtype] = [
        Leg(name, levers, repeat)
        for repeat in range(config.repeats)
        for name, levers in paths.items()
    ]
    return {kind: each for kind, each in legs.items() if each}


def search_piece_path(config: SpeedConfig, dtype: str, leg: Leg) -> Path:
    """Where a finished piece is."""
    name = f"search-{config.search_name}-{dtype}-{leg.name}-{leg.repeat}.json"
    return Path(config.out) / "pieces" / name


def search_settings(config: SpeedConfig, everything: dict[str, Any]) -> dict[str, Any]:
    """What a search's figures depend on, of all settings of a run."""
    return {key: value for key, value in everything.items() if key not in _ELSEWHERE} | {
        "asked": config.limit if config.benchmark is not None else config.questions
    }


def missing_legs(config: SpeedConfig, settings: dict[str, Any]) -> Iterator[tuple[str, list[Leg]]]:
    """The type, and what of it was not measured as it would be now."""
    for dtype, legs in planned_legs(config).items():
        missing = [leg for leg in legs if not _done(config, settings, _kept(config, dtype, leg))]
        if missing:
            yield dtype, missing


def measured_legs(config: SpeedConfig) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """By type and path, the pieces of every repeat."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for dtype, legs in planned_legs(config).items():
        for leg in legs:
            found.setdefault(dtype, {}).setdefault(leg.name, []).append(_kept(config, dtype, leg))
    return found


def _done(config: SpeedConfig, settings: dict[str, Any], kept: dict[str, Any]) -> bool:
    """Whether it was measured as it would be now, or left out as it would be."""
    too_long = kept.get("least_minutes", 0.0) <= config.most_minutes and "skipped" in kept
    return kept.get("settings") == settings and not too_long


def _kept(config: SpeedConfig, dtype: str, leg: Leg) -> dict[str, Any]:
    path = search_piece_path(config, dtype, leg)
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return kept
