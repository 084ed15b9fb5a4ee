"""The numbers of one run as a table, whichever program made them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seal.evaluation.grounding.table import grounding_table
from seal.evaluation.results.result_tables import answers_table, search_table
from seal.pages.table import Table


def run_table(metrics: Mapping[str, Any]) -> Table:
    """metrics.json of eval/benchmark, eval/score, eval/judge, eval/search or eval/grounding.

    Raises:
        ValueError: it is of none of them.
    """
    if "sources" in metrics:
        return grounding_table(metrics)
    if "strategies" in metrics:
        return search_table(metrics)
    if not isinstance(metrics.get("systems"), Mapping) or "paired" not in metrics:
        raise ValueError(
            f"metrics.json with {', '.join(map(str, metrics)) or 'nothing in it'} is of no "
            "evaluation that tables can show: eval/benchmark, score, judge, search or grounding"
        )
    return answers_table(metrics)
