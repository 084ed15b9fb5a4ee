"""The table of a run of referring expressions, a view of its metrics.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seal.evaluation.results.result_tables import percent
from seal.pages.table import Table


def grounding_table(metrics: Mapping[str, Any]) -> Table:
    """Boxes and masks of referring expressions by data set, in percent."""
    rows = []
    for source, of in metrics["sources"].items():
        rows.append((
            source,
            percent(of["box_accuracy"]),
            str(of["box_accuracy"]["n"]),
            percent(of["box_iou"]),
            percent(of.get("cIoU")),
            percent(of.get("gIoU")),
            str(of["cIoU"]["n"]) if "cIoU" in of else "",
        ))  # fmt: skip
    title = f"{metrics['num_expressions']} expressions of {metrics['num_images']} images"
    head = ("data set", "box accuracy@0.5", "boxes", "box IoU", "cIoU", "gIoU", "masks")
    return Table(title, head, tuple(rows))
