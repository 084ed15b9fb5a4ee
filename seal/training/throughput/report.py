"""The figures as tables and a chart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from seal.pages.table import Table
from seal.training.throughput.simulation import Balance, Comparison

GIB = 2**30
Piece = Mapping[str, Any]


def plan_table(compared: Sequence[Comparison]) -> Table:
    """A row a program and number of ranks."""
    head = (
        "program", "ranks", "micro-batch", "ours: useful", "padding", "grouped: useful", "padding",
        "original: useful", "padding",
    )  # fmt: skip
    rows = tuple(
        (
            each.program, str(each.ranks), str(each.micro_batch_size),
            *_balance(each.ours), *_balance(each.grouping), *_balance(each.original),
        )
        for each in compared
    )  # fmt: skip
    title = (
        "Work done / (ranks x slowest rank), and padding, simulated for the paper's batches; "
        "grouped: micro-batches of like length"
    )
    return Table(title, head, rows)


def throughput_table(pieces: Iterable[Piece]) -> Table:
    """A row a piece, the original's behind ours."""
    pieces = list(pieces)
    head = (
        "case", "recipe", "samples/s", "tokens/s", "step s (range)", "MFU", "with recomputation",
        "of datasheet", "padding", "data wait", "peak GiB", "predicted GiB", "save stall s",
    )  # fmt: skip
    devices = ", ".join(dict.fromkeys(piece["device"] for piece in pieces))
    rows = tuple(_row(piece) for piece in ordered(pieces))
    return Table(f"Training on {devices}", head, rows)


def ratio_lines(pieces: Iterable[Piece]) -> list[str]:
    """How much faster ours is than each other recipe of the same case, by the median step.

    The steps hold the same samples.
    """
    lines = []
    for case, recipes in _by_case(pieces).items():
        if (ours := recipes.get("ours")) is None:
            continue
        for name, other in recipes.items():
            if name != "ours":
                ratio = other["seconds"]["median"] / ours["seconds"]["median"]
                lines.append(f"{case}: ours is {ratio:.2f} x {name} (median step, same samples)")
    return lines


def ordered(pieces: Iterable[Piece]) -> list[Piece]:
    """Case by case, ours first."""
    return [piece for recipes in _by_case(pieces).values() for piece in recipes.values()]


def draw_chart(pieces: Sequence[Piece], path: Path) -> None:
    """Samples a second, utilisation and memory, a group of bars a case."""
    from matplotlib.figure import Figure

    cases = _by_case(pieces)
    figure = Figure(figsize=(12.5, 1.2 + 0.9 * len(cases)), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    colors = {"ours": "C0", "original": "0.6"}
    labels, told = [], set()
    for number, (case, recipes) in enumerate(cases.items()):
        labels.append(case)
        height = 0.8 / len(recipes)
        for turn, (name, piece) in enumerate(recipes.items()):
            at = number + (turn - (len(recipes) - 1) / 2) * height
            style = {"color": colors.get(name, "C1"), "height": height}
            if name not in told:
                style["label"] = name
            told.add(name)
            panels[0].barh(at, piece["samples_per_second"], **style)
            panels[1].barh(at, 100 * piece["mfu"], **style)
            panels[2].barh(at, piece["memory"]["peak"] / GIB, **style)
            if (predicted := piece["memory"].get("predicted")) is not None:
                panels[2].plot(predicted / GIB, at, "k|", markersize=12)
    titles = ("samples a second", "MFU, percent", "peak memory, GiB (|: predicted)")
    for panel, title in zip(panels, titles, strict=True):
        panel.set_xlabel(title)
        panel.grid(axis="x", alpha=0.25)
        panel.set_axisbelow(True)
    panels[0].set_xscale("log")
    panels[0].set_yticks(range(len(labels)), labels, fontsize=8)
    panels[0].invert_yaxis()
    panels[1].legend(fontsize=8, frameon=False)
    figure.suptitle(", ".join(dict.fromkeys(piece["device"] for piece in pieces)), fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png", dpi=120)


def _row(piece: Piece) -> tuple[str, ...]:
    seconds, memory, save = piece["seconds"], piece["memory"], piece["save"]
    predicted, sheet = memory.get("predicted"), piece["of_datasheet"]
    return (
        piece["case"],
        piece["name"],
        f"{piece['samples_per_second']:.2f}",
        f"{piece['tokens_per_second']:.0f}",
        f"{seconds['median']:.2f} ({seconds['low']:.2f}-{seconds['high']:.2f})",
        f"{piece['mfu']:.1%}",
        f"{piece['utilization_with_recomputation']:.1%}",
        "" if sheet is None else f"{sheet:.1%}",
        f"{piece['padding']:.1%}",
        f"{piece['data_wait']:.1%}",
        f"{memory['peak'] / GIB:.2f}",
        "" if predicted is None else f"{predicted / GIB:.2f}",
        "" if save is None else f"{save['stall']:.2f}",
    )


def _by_case(pieces: Iterable[Piece]) -> dict[str, dict[str, Piece]]:
    cases: dict[str, dict[str, Piece]] = {}
    for piece in sorted(pieces, key=lambda piece: (piece["case"], piece["name"] != "ours")):
        cases.setdefault(piece["case"], {})[piece["name"]] = piece
    return cases


def _balance(balance: Balance) -> tuple[str, str]:
    return f"{balance.useful:.1%}", f"{balance.padding:.1%}"
