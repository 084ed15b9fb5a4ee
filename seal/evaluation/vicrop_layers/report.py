"""The layers compared: numbers, a table, and curves over the depth of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seal.evaluation.results.result_tables import number, percent
from seal.evaluation.task import Prediction
from seal.metrics.intervals import mean, ratio
from seal.metrics.paired import paired_difference
from seal.pages.table import Table

CHART, PAGE = "layers.png", "layers.html"
TASK, VERSION = "vicrop_layers", "1"


def layer_metrics(
    lines: Sequence[Prediction], *, default: int, name: str = "", seed: int = 0
) -> dict[str, Any]:
    """Everything in metrics.json; a pure function of the lines.

    The best layer is the one with the largest mean share of its map in the boxes; `by_crop`, the
    one whose crops cover most of them for their size. Its own number is too good, as the best of
    many on the same questions: `held_out` is what a layer chosen without a question has on it.

    Raises:
        ValueError: no line could be read, or they are of models of different depth.
    """
    read = [line for line in lines if line["error"] is None]
    if not read or len({len(line["layers"]) for line in read}) != 1:
        raise ValueError(f"{len(read)} of {len(lines)} questions could be read, of one model")
    lost = len(lines) - len(read)
    chances = [float(line["chance"]) for line in read]
    shares, covered, crops = (  # (questions, layers)
        np.array([[layer[key] for layer in line["layers"]] for line in read], np.float64)
        for key in ("share", "covered", "crop")
    )
    best = int(shares.mean(0).argmax())
    options: dict[str, Any] = {"invalid": lost, "seed": seed}
    return {
        "task": TASK,
        "task_version": VERSION,
        "model": name,
        "seed": seed,
        "num_questions": len(lines),
        "errors": sorted({line["error"] for line in lines if line["error"]}),
        "num_layers": shares.shape[1],
        "default_layer": default,
        "best_layer": best,
        "best_layer_by_crop": int((covered.mean(0) / crops.mean(0)).argmax()),
        "chance": mean(chances, **options).to_dict(),
        "held_out": mean(_held_out(shares), **options).to_dict(),
        "best_minus_default": paired_difference(
            list(shares[:, best]), list(shares[:, default]), **options
        ).to_dict(),
        "layers": [
            {
                "layer": layer,
                "share": mean(list(shares[:, layer]), **options).to_dict(),
                "times_chance": ratio(list(shares[:, layer]), chances, **options).to_dict(),
                "covered": mean(list(covered[:, layer]), **options).to_dict(),
                "crop": mean(list(crops[:, layer]), **options).to_dict(),
                # A crop put anywhere covers as much of the boxes as it has of the image.
                "crop_times_chance": ratio(
                    list(covered[:, layer]), list(crops[:, layer]), **options
                ).to_dict(),
            }
            for layer in range(shares.shape[1])
        ],
    }


def _held_out(shares: np.ndarray) -> list[float]:
    """(questions, layers) -> each question's share at the layer that is best on all others."""
    if len(shares) < 2:
        return []
    others = shares.sum(0) - shares
    return [float(row[layer]) for row, layer in zip(shares, others.argmax(1), strict=True)]


def layers_table(metrics: Mapping[str, Any]) -> Table:
    """A row a layer: its map's share in the boxes, and what its crops cover of them."""
    rows = []
    for of in metrics["layers"]:
        marks = " best" if of["layer"] == metrics["best_layer"] else ""
        marks += " best crop" if of["layer"] == metrics["best_layer_by_crop"] else ""
        marks += " default" if of["layer"] == metrics["default_layer"] else ""
        rows.append((
            f"{of['layer']}{marks}",
            percent(of["share"], 2),
            number(of["times_chance"]),
            percent(of["covered"]),
            percent(of["crop"]),
            number(of["crop_times_chance"]),
        ))  # fmt: skip
    title = (
        f"{metrics['model']}: maps of {metrics['num_layers']} layers over "
        f"{metrics['num_questions']} questions, percent; "
        f"by chance {percent(metrics['chance'], 2)}, "
        f"a layer chosen on the other questions {percent(metrics['held_out'], 2)}"
    )
    head = (
        "layer", "map in the boxes", "times chance", "boxes in the crop", "crop of the image",
        "times chance",
    )  # fmt: skip
    return Table(title, head, tuple(rows))


def draw_layers(metrics: Mapping[str, Any], path: Path) -> None:
    """Both curves over the layers with their intervals, beside what chance gives."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    layers = [of["layer"] for of in metrics["layers"]]
    for panel, key, label in (
        (left, "share", "map in the boxes"),
        (right, "covered", "boxes in the crop"),
    ):
        values = [100 * of[key]["value"] for of in metrics["layers"]]
        low, high = (
            [
                100 * (of[key]["value"] if of[key][end] is None else of[key][end])
                for of in metrics["layers"]
            ]
            for end in ("low", "high")
        )
        panel.fill_between(layers, low, high, alpha=0.2, linewidth=0)
        panel.plot(layers, values, "o-", ms=3, linewidth=1.2, label=label)
        panel.axvline(metrics["best_layer"], color="seagreen", linewidth=1, label="best layer")
        if metrics["default_layer"] != metrics["best_layer"]:
            panel.axvline(
                metrics["default_layer"], color="0.5", linestyle=":", linewidth=1.2, label="default"
            )
        panel.xaxis.get_major_locator().set_params(integer=True)
        panel.set_xlabel("layer, from 0")
        panel.set_ylabel("percent")
        panel.grid(alpha=0.25)
    by_chance = 100 * metrics["chance"]["value"]
    left.axhline(by_chance, color="firebrick", linestyle="--", linewidth=1, label="by chance")
    crops = [100 * of["crop"]["value"] for of in metrics["layers"]]
    right.plot(layers, crops, "--", color="firebrick", linewidth=1, label="crop of the image")
    for panel in (left, right):
        panel.set_ylim(bottom=0)
        panel.legend(fontsize=8, frameon=False)
    figure.suptitle(f"{metrics['model']}, {metrics['num_questions']} questions", fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
