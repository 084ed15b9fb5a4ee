"""Pictures of how good each system of some runs is against what a question costs it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from seal.evaluation.results.result_tables import main_metric, shown_scale
from seal.pages.page import Page
from seal.pages.scatter import Point, scatter

# Cost -> parts of a system's mean costs that add up to it.
_COSTS = {
    "seconds, as they were spent": ("seconds",),
    "calls of models": ("calls", "search_calls"),
    "tokens read and written": ("tokens_read", "tokens_written"),
    "visual tokens read": ("visual_tokens",),
    "pixels encoded": ("pixels",),
    "search steps": ("steps",),
}
_OF_A_SEARCH = {"regions looked at": ("visits",), "calls of the guide": ("model_calls",)}
CAPTION = (
    "Means of a question; upright lines are 95% intervals; no system beats those on the broken "
    "line, by being as good at less or better at no more."
)


@dataclass(frozen=True, slots=True)
class Measured:
    """How good a system is, and its mean costs by name; None: not recorded."""

    name: str
    quality: Mapping[str, Any]  # a metric
    costs: Mapping[str, float | None]


def measured_systems(metrics: Mapping[str, Any]) -> tuple[str, list[Measured]]:
    """What is measured, and of whom: systems of eval/benchmark, strategies of eval/search."""
    if "strategies" in metrics:
        return "found", [
            Measured(name, of["hit"], _costs(_OF_A_SEARCH, of.get))
            for name, of in metrics["strategies"].items()
        ]
    main = main_metric(metrics)
    told = metrics.get("costs", {})
    return main, [
        Measured(name, list(of.values())[-1][main], _costs(_COSTS, told.get(name, {}).get))
        for name, of in metrics["systems"].items()
        if main in list(of.values())[-1]
    ]


def add_cost_pictures(page: Page, runs: Mapping[str, Mapping[str, Any]]) -> None:
    """One picture a cost; `runs`: metrics.json by name, all of one kind of quality.

    A system without a number or without that cost is named below the picture, not drawn.
    """
    systems: list[tuple[str, int, Measured]] = []
    quality = ""
    for number, (run, metrics) in enumerate(runs.items()):
        quality, of = measured_systems(metrics)
        for place, one in enumerate(of):
            label = one.name if len(runs) == 1 else f"{run}: {one.name}"
            systems.append((label, place if len(runs) == 1 else number, one))
    scales = [100.0 if "strategies" in of else shown_scale(of) for of in runs.values()]
    scale = min(scales, default=100.0)
    unit = f"{quality}, percent" if scale == 100 else quality
    figures = []
    for cost in dict.fromkeys(name for _, _, one in systems for name in one.costs):
        points = [
            Point(label, x, *_ends(one.quality, scale), group)
            for label, group, one in systems
            if (x := one.costs.get(cost)) is not None and one.quality["value"] is not None
        ]
        left = [label for label, _, one in systems if label not in {p.name for p in points}]
        told = f"Not drawn, because no such cost was recorded: {', '.join(left)}." if left else ""
        if len(points) > 1:
            figures.append((scatter(points, x_label=cost, y_label=unit), told))
    if figures:
        page.sheet(figures, wide=True)
        page.note(CAPTION)


def _costs(
    parts: Mapping[str, tuple[str, ...]], told: Callable[[str], Mapping[str, Any] | None]
) -> dict[str, float | None]:
    made: dict[str, float | None] = {}
    for cost, names in parts.items():
        values = [(told(name) or {}).get("value") for name in names]
        known = [value for value in values if value is not None and math.isfinite(value)]
        made[cost] = sum(known) if len(known) == len(names) else None
    return made


def _ends(metric: Mapping[str, Any], scale: float) -> tuple[float, float | None, float | None]:
    low, high = metric["low"], metric["high"]
    return (
        metric["value"] * scale,
        None if low is None else low * scale,
        None if high is None else high * scale,
    )
