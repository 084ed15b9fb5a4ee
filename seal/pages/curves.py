"""Loss curves of training runs, from the lines of their metrics.jsonl."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LOSSES = ("ce", "bce", "dice", "focal", "l1", "giou", "query_alignment", "loss")


def loss_curves(runs: Mapping[str, Sequence[Mapping[str, float]]]) -> Figure:
    """Named losses over the steps, one panel a run; `runs`: lines of metrics.jsonl by name."""
    from matplotlib.figure import Figure

    rows = -(-len(runs) // 2)
    figure = Figure(figsize=(11, 2.9 * rows), layout="constrained")
    panels = figure.subplots(rows, 2, squeeze=False).flat
    for panel, (name, lines) in zip(panels, runs.items(), strict=False):
        for key in _drawn(lines):
            points = [(line["step"], line[key]) for line in lines if key in line]
            style = "o--" if key.startswith("validation/") else "-"
            panel.plot(*zip(*points, strict=True), style, label=key, linewidth=1.0, ms=4)
        panel.set_title(name, fontsize=10)
        panel.set_yscale("log")
        panel.set_xlabel("step", fontsize=8)
        panel.tick_params(labelsize=8)
        panel.legend(fontsize=6, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
        panel.grid(alpha=0.25)
    for panel in list(figure.axes)[len(runs) :]:
        panel.set_visible(False)
    return figure


def _drawn(lines: Sequence[Mapping[str, float]]) -> list[str]:
    """The loss parts in the lines, positive somewhere (the axis is logarithmic)."""
    names = dict.fromkeys(key for line in lines for key in line)
    return [
        name
        for name in names
        if name.removeprefix("validation/").removeprefix("loss/") in _LOSSES
        and any(line.get(name, 0) > 0 for line in lines)
    ]
