"""The figures as a table and a chart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seal.evaluation.speed.search_table import search_tables
from seal.pages.table import Table

CARD = 24e9  # bytes of the card that both models are to fit
PARTS = {"first_answer": "first answer", "search": "search", "final_answer": "final answer"}


def tables(result: Mapping[str, Any]) -> list[Table]:
    """All that was measured."""
    return [*([speed_table(result)] if result["pieces"] else []), *search_tables(result)]


def speed_table(result: Mapping[str, Any]) -> Table:
    """A row a precision: loading, memory, and the parts of a question."""
    head = (
        "precision", "load s (vqa + vsm)", "host GB to load", "expected GB", "loaded GB", "peak GB",
        "reserved GB", "under 24 GB",
    )  # fmt: skip
    asked = (
        "first answer s", "search s", "final answer s", "question s (range)", "free-form s",
        "visits", "calls", "tokens",
    )  # fmt: skip
    pieces = result["pieces"]
    n = min(len(piece["questions"]) for piece in pieces.values())
    rows = tuple(
        _loading(name, piece) + (_asking(piece) if n else ()) for name, piece in pieces.items()
    )
    title = f"Both models, {result['name']}, on {result['device']}: medians of {n} questions"
    return Table(title, head + asked if n else head, rows)


def most_memory(piece: Mapping[str, Any]) -> int:
    """Bytes that a device must have free: what was taken from it, not only what was used of it."""
    memory = piece["memory"]
    most: int = memory["reserved"] or memory["peak"]
    return most


def draw_chart(result: Mapping[str, Any], path: Path) -> None:
    """Seconds by part, and memory beside the card's."""
    from matplotlib.figure import Figure

    pieces = result["pieces"]
    figure = Figure(figsize=(9.5, 3.6), layout="constrained")
    seconds, memory = figure.subplots(1, 2)
    bottom = [0.0] * len(pieces)
    for part, name in PARTS.items():
        heights = [_median(piece, part) for piece in pieces.values()]
        seconds.bar(list(pieces), heights, bottom=bottom, label=name, width=0.6)
        bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
    seconds.set_ylabel("seconds a question (median)")
    seconds.legend(fontsize=8, frameon=False)
    loaded = [piece["memory"]["both_loaded"] / 1e9 for piece in pieces.values()]
    most = [most_memory(piece) / 1e9 for piece in pieces.values()]
    memory.bar(list(pieces), most, width=0.6, color="0.8", label="peak")
    memory.bar(list(pieces), loaded, width=0.6, label="loaded")
    memory.axhline(CARD / 1e9, color="firebrick", linestyle="--", linewidth=1, label="24 GB card")
    memory.set_ylabel("GB, both models")
    memory.legend(fontsize=8, frameon=False)
    for panel in (seconds, memory):
        panel.grid(axis="y", alpha=0.25)
        panel.set_axisbelow(True)
    figure.suptitle(f"{result['name']} on {result['device']}", fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png", dpi=120)


def _fits_card(piece: Mapping[str, Any]) -> str:
    """Whether it fits the card; empty on a CPU, where mapped weights are in no process's memory."""
    if piece["memory"]["reserved"] is None:
        return ""
    return "yes" if most_memory(piece) < CARD else "no"


def _median(piece: Mapping[str, Any], part: str) -> float:
    """0 where only loading was measured."""
    median: float = piece["seconds"][part]["median"] if piece["questions"] else 0.0
    return median


def _loading(name: str, piece: Mapping[str, Any]) -> tuple[str, ...]:
    memory = piece["memory"]

    def told(key: str) -> str:
        return "" if memory[key] is None else f"{memory[key] / 1e9:.2f}"

    return (
        name,
        " + ".join(f"{piece['load_seconds'][model]:.1f}" for model in ("vqa", "vsm")),
        *(told(key) for key in ("host_loading", "expected", "both_loaded", "peak", "reserved")),
        _fits_card(piece),
    )


def _asking(piece: Mapping[str, Any]) -> tuple[str, ...]:
    seconds, questions = piece["seconds"], piece["questions"]
    whole = seconds["question"]
    free = seconds.get("free_form_answer")

    def mean(values: list[int]) -> str:
        return f"{sum(values) / len(values):.1f}"

    return (
        *(f"{seconds[part]['median']:.3f}" for part in PARTS),
        f"{whole['median']:.3f} ({whole['low']:.3f}-{whole['high']:.3f})",
        "" if free is None else f"{free['median']:.3f}",
        mean([question["visits"] for question in questions]),
        mean([sum(question["calls"].values()) for question in questions]),
        mean(
            [
                question["work"]["vqa_tokens_generated"] + question["work"]["vsm_tokens_generated"]
                for question in questions
            ]
        ),
    )
