"""What the measured searches come to: a row a path, whether answers agree, and the ratios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from seal.evaluation.speed.config import SpeedConfig
from seal.evaluation.speed.levers import (
    FORCED_CUE,
    ORIGINAL,
    PLAIN,
    all_at,
    chosen_paths,
    reference_of,
)
from seal.evaluation.speed.outcomes import compare, holds
from seal.evaluation.speed.search_plan import FLOAT32, search_dtype
from seal.failure import FailedError

Pieces = Mapping[str, Sequence[Mapping[str, Any]]]  # path -> one of each repeat
FULL = ("detect", "target_heat", "contextual_cue", "cue_heatmap")  # what a node may take


def search_figures(config: SpeedConfig, measured: Mapping[str, Pieces]) -> dict[str, Any]:
    """Of one search model. measured: by type, all pieces.

    Returns:
        `dtype`, `rows` (path -> figures of the median repeat), `equality` (how far each path's
        answers are those of its reference in float32), `ratios` of seconds a question, and beside
        them of seconds a node, which are others where paths make other visits, and of a
        processor's seconds, which a machine that others use changes less.
    """
    assert config.device is not None
    dtype = search_dtype(config)
    paths = chosen_paths(config.ways, config.batches, config.device)
    skipped = {
        name: pieces[0]["skipped"]
        for kind in (FLOAT32, dtype)
        for name, pieces in measured.get(kind, {}).items()
        if "skipped" in pieces[0]
    }
    paths = {name: levers for name, levers in paths.items() if name not in skipped}
    if not paths:
        told = "; ".join(f"{name}: {why}" for name, why in skipped.items())
        raise FailedError(f"searches of {config.search_name}: nothing was measured: {told}")
    rows = {name: row(measured[dtype][name]) for name in paths}
    equality: list[dict[str, Any]] = []
    for name, levers in paths.items():
        references = [reference_of(levers)]
        if levers is None and FORCED_CUE in paths and config.benchmark is not None:
            references.append(FORCED_CUE)  # its words are others: how often that matters
        for reference in references:
            if (name == reference and dtype == FLOAT32) or reference in skipped:
                continue
            ours, theirs = (
                measured[kind][path][0]["outcomes"]
                for kind, path in ((dtype, name), (FLOAT32, reference))
            )
            same = min(len(ours), len(theirs))  # larger batches are asked more
            compared = compare(ours[:same], theirs[:same])
            decisive = levers is not None and dtype == FLOAT32
            held = holds(compared) if decisive else None
            equality.append({"path": name, "reference": reference, **compared, "holds": held})
    first = measured[dtype][next(iter(paths))][0]
    return {
        "name": config.search_name,
        "dtype": dtype,
        "threads": first["environment"]["threads"],
        "questions": first["questions"],
        "scripted": config.benchmark is None,
        "machine": {key: first["roofline"][f"machine_{key}"] for key in ("flops", "bandwidth")},
        "rows": rows,
        "skipped": skipped,
        "equality": equality,
        "ratios": ratios(rows, config.batches, "question_ms"),
        "ratios_by_node": ratios(rows, config.batches, "node_ms"),
        "ratios_by_cpu": ratios(rows, config.batches, "cpu_seconds_per_question"),
    }


def row(pieces: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Figures of one path: of its median repeat, and the range of the time of a node."""
    middle = median([piece["seconds"] for piece in pieces])
    piece = min(pieces, key=lambda piece: abs(piece["seconds"] - middle))
    questions, visits = piece["questions"], piece["visits"]
    calls, spent, work = piece["calls"], piece["call_seconds"], piece["work"]
    nodes = [1000 * each["seconds"] / each["visits"] for each in pieces]
    each_ms = {kind: 1000 * spent[kind] / calls[kind] for kind in FULL if calls.get(kind)}
    detect_ms = each_ms.get("detect")
    full_ms = sum(each_ms.values()) if "contextual_cue" in each_ms else None
    asked = piece["question_seconds"] or [piece["seconds"] / questions]
    least = piece["roofline"]["seconds"] / piece["roofline"]["visits"]  # of a node
    return {
        "questions": questions,
        "visits": visits,
        "node_ms": 1000 * piece["seconds"] / visits,
        "node_ms_range": [min(nodes), max(nodes)],
        "detection_node_ms": detect_ms,
        "full_node_ms": full_ms,
        "call_ms": each_ms,
        "nodes_per_second": visits / piece["seconds"],
        "question_ms": 1000 * piece["seconds"] / questions,
        "question_ms_range": [1000 * min(asked), 1000 * max(asked)],
        "cpu_seconds_per_question": piece["cpu_seconds"] / questions,
        "calls_per_question": sum(calls.values()) / questions,
        "evaluated_ahead_per_question": piece["evaluated_ahead"] / questions,
        "tokens_generated_per_question": piece["tokens_generated"] / questions,
        **{f"{key}_per_question": count / questions for key, count in work.items()},
        "bytes_copied_per_question": piece["bytes_copied"] / questions,
        "peak_bytes": piece["peak_bytes"],
        "gflop_per_node": piece["roofline"]["flops"] / piece["roofline"]["visits"] / 1e9,
        "floor_node_ms": 1000 * least,
        "roofline_share": least * visits / piece["seconds"],
    }


def ratios(
    rows: Mapping[str, Mapping[str, Any]], batches: Sequence[int], key: str
) -> dict[str, float | None]:
    """How many times as long the paths without our levers take, and tokens as many; None where a
    path was not measured.

    "one" is all levers at batch 1, "batched" the fastest batch above that.
    """
    one = rows.get(all_at(1))
    several = [rows[all_at(batch)] for batch in batches if batch > 1 and all_at(batch) in rows]
    batched = min(several, key=lambda row: row[key], default=None)
    found = {
        f"{name}_over_{against}": _over(rows.get(name), ours, key)
        for against, ours in (("one", one), ("batched", batched))
        for name in (ORIGINAL, PLAIN)
    }
    tokens = _over(rows.get(ORIGINAL), one, "llm_tokens_per_question")
    return found | {"tokens_original_over_ours": tokens}


def _over(
    theirs: Mapping[str, Any] | None, ours: Mapping[str, Any] | None, key: str
) -> float | None:
    return None if theirs is None or ours is None else theirs[key] / ours[key]
