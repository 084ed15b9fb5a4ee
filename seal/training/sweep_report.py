"""A sweep as a table, a picture and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seal.files.whole import write_whole
from seal.pages.table import Table, markdown
from seal.training.sweep import Sweep, SweepRun

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FILES = ("sweep.md", "sweep.csv", "sweep.json", "sweep.png")
_SEED = "seed"  # of what differs only in it a picture shows the mean


def write_report(sweep: Sweep, out: Path) -> str:
    """Write FILES to `out`; the table, and which run is the best.

    Raises:
        ValueError: a file cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    table = sweep_table(sweep)
    text = f"{markdown(table)}\n\n{conclusion(sweep)}\n"
    write_whole(out / FILES[0], text)
    rows = io.StringIO()
    csv.writer(rows, lineterminator="\n").writerows([table.head, *table.rows])
    write_whole(out / FILES[1], rows.getvalue())
    stored = {**asdict(sweep), "lower_is_better": sweep.lower_is_better}
    write_whole(out / FILES[2], json.dumps(stored, indent=1) + "\n")
    write_whole(out / FILES[3], picture(sweep))
    return text


def sweep_table(sweep: Sweep) -> Table:
    """A row a run, the best first."""
    head = ("run", *sweep.keys, sweep.metric.removeprefix("-"), "step", "state")
    rows = tuple(
        (run.name, *(_cell(run.settings[key]) for key in sweep.keys), _number(run.value),
         str(run.step), run.state)
        for run in sweep.runs
    )  # fmt: skip
    better = "lower" if sweep.lower_is_better else "higher"
    return Table(f"{len(sweep.runs)} runs, the best first ({better} is better)", head, rows)


def conclusion(sweep: Sweep) -> str:
    """The best run, and those that did not come to their end."""
    lines = []
    if best := next((run for run in sweep.runs if run.finished and run.value is not None), None):
        told = ", ".join(f"{key}={_cell(best.settings[key])}" for key in sweep.keys)
        value = f"{sweep.metric.removeprefix('-')} {_number(best.value)}"
        lines.append(f"best of those that finished: {best.name} ({told}): {value}")
    others = [f"{run.name} ({run.state})" for run in sweep.runs if not run.finished]
    if others:
        lines.append(f"did not finish: {'; '.join(others)}")
    return "\n".join(lines)


def picture(sweep: Sweep) -> bytes:
    """A PNG: a heat map of two keys with numbers, a line over one, otherwise a row a run."""
    from matplotlib.figure import Figure

    keys = [key for key in sweep.keys if key != _SEED] or sweep.keys
    shown = [run for run in sweep.runs if run.value is not None]
    numeric = all(_is_number(run.settings[key]) for run in shown for key in keys)
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    if numeric and len(keys) == 2:
        _heat_map(axes, shown, keys, sweep)
    elif numeric and len(keys) == 1:
        _line(axes, shown, keys[0])
        axes.set_ylabel(sweep.metric.removeprefix("-"))
    else:
        figure.set_size_inches(7.5, 1.2 + 0.35 * len(shown))
        _rows(axes, shown)
        axes.set_xlabel(sweep.metric.removeprefix("-"))
    if not all(run.finished for run in sweep.runs):
        figure.supxlabel("* not finished", fontsize=8, x=0.99, ha="right")
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=140)
    return content.getvalue()


def _heat_map(axes: Axes, runs: Sequence[SweepRun], keys: list[str], sweep: Sweep) -> None:
    across, down = (sorted({run.settings[key] for run in runs}) for key in keys)
    cells: dict[tuple[int, int], list[SweepRun]] = {}
    for run in runs:
        place = (down.index(run.settings[keys[1]]), across.index(run.settings[keys[0]]))
        cells.setdefault(place, []).append(run)
    means = {place: _mean(inside) for place, inside in cells.items()}
    grid = [[means.get((y, x), float("nan")) for x in range(len(across))] for y in range(len(down))]
    colors = "viridis_r" if sweep.lower_is_better else "viridis"  # bright is good
    image = axes.imshow(grid, cmap=colors, aspect="auto", origin="lower")
    low, high = min(means.values()), max(means.values())
    for (y, x), inside in cells.items():
        share = (means[y, x] - low) / ((high - low) or 1.0)
        bright = share < 0.5 if sweep.lower_is_better else share > 0.5
        text = f"{means[y, x]:.4g}{_mark(inside)}" + (f"\nn = {len(inside)}" * (len(inside) > 1))
        axes.text(x, y, text, ha="center", va="center", color="black" if bright else "white")
    axes.set_xticks(range(len(across)), [_cell(value) for value in across])
    axes.set_yticks(range(len(down)), [_cell(value) for value in down])
    axes.set_xlabel(keys[0])
    axes.set_ylabel(keys[1])
    axes.figure.colorbar(image, ax=axes, label=sweep.metric.removeprefix("-"))


def _line(axes: Axes, runs: Sequence[SweepRun], key: str) -> None:
    points: dict[float, list[SweepRun]] = {}
    for run in sorted(runs, key=lambda run: run.settings[key]):
        points.setdefault(run.settings[key], []).append(run)
    axes.plot(list(points), [_mean(inside) for inside in points.values()], "-", color="0.6")
    for x, inside in points.items():
        axes.plot([x] * len(inside), _values(inside), "o", color="C0")
        if mark := _mark(inside):
            axes.annotate(mark, (x, _mean(inside)), xytext=(5, 5), textcoords="offset points")
    if min(points) > 0 and max(points) >= 10 * min(points):
        axes.set_xscale("log")
    axes.set_xlabel(key)
    axes.grid(alpha=0.25)


def _rows(axes: Axes, runs: Sequence[SweepRun]) -> None:
    names = [f"{run.name}{_mark([run])}" for run in reversed(runs)]
    axes.plot(_values(runs)[::-1], range(len(runs)), "o")
    axes.set_yticks(range(len(runs)), names, fontsize=8)
    axes.grid(alpha=0.25)


def _mean(runs: Sequence[SweepRun]) -> float:
    values = _values(runs)
    return sum(values) / len(values)


def _values(runs: Sequence[SweepRun]) -> list[float]:
    return [run.value for run in runs if run.value is not None]


def _mark(runs: Sequence[SweepRun]) -> str:
    return "" if all(run.finished for run in runs) else " *"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
