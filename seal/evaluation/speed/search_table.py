"""The measured searches as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seal.pages.table import Table

# search.md: what a 7B model needs at least on an H200 in bfloat16.
H200_FLOOR = (
    "floor of a 7B model on an H200 in bfloat16: a detection 6.2 ms, a full node 59 ms alone and "
    "10.7 ms at batch 16, 161 detection nodes a second"
)

COUNTS = ("searches", "same_visits", "same_verdict", "same_boxes")


def search_tables(result: Mapping[str, Any]) -> list[Table]:
    """For each search model what its paths cost, and whether they agree."""
    tables = []
    for figures in result.get("searches", {}).values():
        tables += [_costs(figures, result["device"]), _agreement(figures)]
    return tables


def _costs(figures: Mapping[str, Any], device: str) -> Table:
    head = (
        "path", "node ms (range)", "detection ms", "full node ms", "nodes/s", "question s",
        "CPU s", "calls", "passes", "tokens", "pictures", "MB copied", "peak MB", "floor ms",
        "of roofline",
    )  # fmt: skip
    rows = tuple(_cost(name, row) for name, row in figures["rows"].items())
    outcomes = "scripted outcomes" if figures["scripted"] else "real verdicts"
    machine = figures["machine"]
    notes = [
        "CPU s to MB copied: a question. Detection and full node: means of the calls, whose time a "
        "batch shares; all that is between them is in node ms alone. Pictures: through the vision "
        "tower + the detector. Copied: keys and values. Peak: above the model and the images. "
        "Floor: products of matrices alone, at the rates measured here: "
        f"{machine['flops'] / 1e9:.3g} GFLOP/s, {machine['bandwidth'] / 1e9:.3g} GB/s",
        _told("times as long a question", figures["ratios"]),
        _told("by node", figures["ratios_by_node"]),
        _told("by seconds of the processor", figures["ratios_by_cpu"]),
        *(f"{name} was not measured: {why}" for name, why in figures["skipped"].items()),
    ]
    if "H200" in device and figures["name"] == "7b":
        notes.append(H200_FLOOR)
    title = (
        f"Searches of {figures['name']} in {figures['dtype']} on {device}, {figures['threads']} "
        f"threads: {outcomes}"
    )
    return Table(title, head, rows, tuple(notes))


def _cost(name: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    low, high = row["node_ms_range"]
    spread = "" if low == high else f" ({low:.4g}-{high:.4g})"

    def optional(value: float | None, scale: float = 1.0) -> str:
        return "" if value is None else f"{value * scale:.4g}"

    return (
        name,
        f"{row['node_ms']:.4g}{spread}",
        optional(row["detection_node_ms"]),
        optional(row["full_node_ms"]),
        f"{row['nodes_per_second']:.4g}",
        f"{row['question_ms'] / 1000:.4g}",
        f"{row['cpu_seconds_per_question']:.4g}",
        f"{row['calls_per_question']:.1f}",
        f"{row['llm_passes_per_question']:.1f}",
        f"{row['llm_tokens_per_question']:.0f}",
        f"{row['vision_pictures_per_question']:.1f} + {row['detector_pictures_per_question']:.1f}",
        f"{row['bytes_copied_per_question'] / 1e6:.3g}",
        optional(row["peak_bytes"], 1e-6),
        f"{row['floor_node_ms']:.3g}",
        f"{row['roofline_share']:.0%}",
    )


def _agreement(figures: Mapping[str, Any]) -> Table:
    head = (
        "path", "as", "searches", "visits", "verdict", "boxes", "px at most", "confidence",
        "cue's words", "near-ties", "holds",
    )  # fmt: skip
    rows = []
    for each in figures["equality"]:
        differing = each["differing"]
        close = sum(one["margin"] is not None for one in differing)
        holds = {True: "yes", False: "NO", None: ""}[each["holds"]]
        rows.append(
            (
                each["path"],
                each["reference"],
                *(str(each[key]) for key in COUNTS),
                f"{each['max_box_px']:.2g}",
                f"{each['max_confidence']:.1e}",
                str(each["same_words"]),
                f"{close} of {len(differing)}" if differing else "",
                holds,
            )
        )
    notes = (
        "The same visits, verdict, boxes within 0.5 px and words of the cue's answers as the bare "
        "engine in float32 whose cue is free or forced, in searches, and how far boxes and "
        "confidences lie apart at most; what differs is listed by id in speed.json",
    )
    return Table(f"Answers of {figures['name']} in {figures['dtype']}", head, tuple(rows), notes)


def _told(what: str, ratios: Mapping[str, float | None]) -> str:
    known = [f"{key} {value:.3g}" for key, value in ratios.items() if value is not None]
    return f"{what}: {', '.join(known) or 'nothing to compare'}"
