"""A run's numbers as pictures: how many are right, and how soon each search has its target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seal.evaluation.results.result_tables import main_metric, shown_scale
from seal.pages.bars import Bar, bars
from seal.pages.lines import Line, lines

WITHIN = "How many of the targets each strategy has found when it has looked at so many regions."
_MOST_SYSTEMS = 14  # more bars are no picture any more: the table has them all


def answer_bars(
    metrics: Mapping[str, Any],
    *,
    names: Mapping[str, str] | None = None,
    first: Sequence[str] = ("none",),
) -> str:
    """How good each system is over all splits, by the task's main metric; empty for fewer than two.

    names: what to call the systems that are drawn, in their order; None: all of them by their
    names. first: those that stand apart in another color.
    """
    main, scale = main_metric(metrics), shown_scale(metrics)
    drawn = []
    for name, told in (names or {name: name for name in metrics["systems"]}).items():
        of = list(metrics["systems"].get(name, {}).values())
        metric = of[-1].get(main) if of else None
        if metric is not None and metric["value"] is not None and metric["value"] >= 0:
            low, high = (None if metric[k] is None else metric[k] * scale for k in ("low", "high"))
            group = 3 if name in first else 2
            drawn.append(Bar(told, metric["value"] * scale, low, high, group))
    if len(drawn) < 2:
        return ""
    unit = main.replace("_", " ")
    return bars(
        drawn[:_MOST_SYSTEMS],
        x_label=f"{unit}, percent" if scale == 100 else unit,
        most=100.0 if scale == 100 else None,
    )


def found_curves(metrics: Mapping[str, Any]) -> str:
    """Targets found within so many regions, a line a strategy, the reference in bold; empty where
    that was not counted."""
    drawn = []
    for place, (name, of) in enumerate(metrics["strategies"].items()):
        points = [
            (float(regions), 100 * metric["value"])
            for regions, metric in of.get("recall_at", {}).items()
            if metric["value"] is not None
        ]
        points.sort()
        if len(points) > 1:
            bold = name == metrics.get("reference")
            drawn.append(Line(name, tuple(points), place, dashed=not bold, bold=bold, dots=bold))
    if not drawn:
        return ""
    return lines(
        drawn, x_label="regions looked at", y_label="targets found, percent", across_decades=True
    )
