"""The measured searches as a chart: the time of a node by path, and nodes a second by batch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seal.evaluation.speed.levers import ALL, all_at


def draw_searches(result: Mapping[str, Any], path: Path) -> None:
    """A line of panels for each search model."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    models = list(result["searches"].values())
    figure = Figure(figsize=(10.5, 3.8 * len(models)), layout="constrained")
    panels = figure.subplots(len(models), 2, squeeze=False, width_ratios=(3, 2))
    for (bars, lines), figures in zip(panels, models, strict=True):
        rows = figures["rows"]
        names = list(rows)
        times = [row["node_ms"] for row in rows.values()]
        bars.barh(names, times, height=0.6, color=[_color(name) for name in names])
        floors = [row["floor_node_ms"] for row in rows.values()]
        bars.scatter(floors, names, marker="|", s=90, color="black", label="its roofline")
        for name, ms in zip(names, times, strict=True):
            bars.annotate(f" {ms:.3g}", (ms, name), va="center", fontsize=7)
        bars.set_xscale("log")
        bars.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        bars.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        bars.xaxis.set_minor_formatter(NullFormatter())
        bars.invert_yaxis()
        bars.margins(x=0.12)
        bars.tick_params(axis="y", labelsize=8)
        bars.set_xlabel("ms a node (log)")
        bars.set_title(f"{figures['name']}, {figures['dtype']}", fontsize=9)
        bars.legend(fontsize=7, frameon=False, loc="lower right")
        batches = sorted(int(n.removeprefix(f"{ALL}_")) for n in names if n.startswith(f"{ALL}_"))
        if batches:
            at = [rows[all_at(batch)] for batch in batches]
            reached = [row["nodes_per_second"] for row in at]
            lines.plot(batches, reached, marker="o", markersize=4, label="all levers")
            most = [1000 / row["floor_node_ms"] for row in at]
            lines.plot(batches, most, linestyle="--", color="black", label="roofline")
            lines.set_xscale("log", base=2)
            lines.set_xticks(batches, [str(batch) for batch in batches])
            lines.set_ylim(bottom=0)
            lines.legend(fontsize=7, frameon=False)
        lines.set_xlabel("searches side by side")
        lines.set_ylabel("nodes a second")
        for panel in (bars, lines):
            panel.grid(alpha=0.25)
            panel.set_axisbelow(True)
    figure.suptitle(f"Searches on {result['device']}", fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png", dpi=120)


def _color(name: str) -> str:
    return "tab:orange" if name.startswith(f"{ALL}_") else "tab:blue"
