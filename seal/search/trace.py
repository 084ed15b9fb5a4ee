"""A search result as plain JSON, and back: what evaluation stores and pictures are drawn from."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from seal.geometry import Box
from seal.search.heatmap import GridHeat, heat_grid
from seal.search.near_ties import NearTie
from seal.search.protocol import Cue
from seal.search.result import SearchResult
from seal.search.tree import SearchNode

VERSION = 1
HEAT_LEVELS = 99  # stored heat is in whole numbers up to this


def to_dict(result: SearchResult, *, heat_cells: int = 0) -> dict[str, Any]:
    """Everything but the maps; with `heat_cells`, a coarse one of each node too.

    Args:
        heat_cells: cells along the longer side of each stored map; 24 is enough for pictures.
    """
    index = {id(node): i for i, node in enumerate(result.path)}
    return {
        "version": VERSION,
        "target": result.target,
        "strategy": result.strategy,
        "found": result.found,
        "boxes": [_edges(box) for box in result.boxes],
        "scores": list(result.scores),
        "best_box": _edges(result.best_box) if result.best_box else None,
        "best_score": result.best_score,
        "num_steps": result.num_steps,
        "settled": result.settled,
        "stopped_early": result.stopped_early,
        "near_ties": [asdict(tie) for tie in result.near_ties],
        "image_size": list(result.image_size),
        "extractors": result.extractors,
        "calls": dict(result.calls),
        "evaluated_ahead": result.evaluated_ahead,
        "wasted_ahead": result.wasted_ahead,
        **({} if result.error is None else {"error": result.error}),
        **({"notes": list(result.notes)} if result.notes else {}),
        "seconds": {kind: round(value, 6) for kind, value in result.seconds.items()},
        "config": dict(result.config),
        "guide": dict(result.guide),
        "path": [_node_to_dict(node, index, heat_cells) for node in result.path],
    }


def from_dict(trace: dict[str, Any]) -> SearchResult:
    """The result that `to_dict` wrote; maps come back as coarse as they were stored.

    Raises:
        ValueError: the trace was written by another version or is incomplete.
    """
    if trace.get("version") != VERSION:
        raise ValueError(
            f"search trace has version {trace.get('version')!r}, this code reads {VERSION}; "
            "run the search again"
        )
    try:
        return _read(trace)
    except KeyError as error:
        raise ValueError(f"search trace lacks the key {error}; run the search again") from error


def _read(trace: dict[str, Any]) -> SearchResult:
    path: list[SearchNode] = []
    for entry in trace["path"]:
        path.append(_node_from_dict(entry, path))
    width, height = trace["image_size"]
    return SearchResult(
        target=trace["target"],
        strategy=trace["strategy"],
        found=trace["found"],
        boxes=[Box(*edges) for edges in trace["boxes"]],
        scores=list(trace["scores"]),
        best_box=Box(*trace["best_box"]) if trace["best_box"] else None,
        best_score=trace["best_score"],
        num_steps=trace["num_steps"],
        settled=trace.get("settled", False),
        stopped_early=trace.get("stopped_early"),  # older traces had no budget, and told no ties
        near_ties=[NearTie(**tie) for tie in trace.get("near_ties", [])],
        path=path,
        image_size=(width, height),
        config=dict(trace["config"]),
        guide=dict(trace.get("guide", {})),  # older traces name none
        calls=dict(trace["calls"]),
        evaluated_ahead=trace["evaluated_ahead"],
        wasted_ahead=trace.get("wasted_ahead", 0),  # older traces count none
        error=trace.get("error"),
        notes=list(trace.get("notes", [])),
        seconds=dict(trace["seconds"]),
    )


def _node_to_dict(node: SearchNode, index: dict[int, int], heat_cells: int) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "box": _edges(node.box),
        "depth": node.depth,
        "score": node.score,
        # A parent is always visited before its children.
        "parent": index[id(node.parent)] if node.parent else None,
        "confidence": node.confidence,
        "best_box": _edges(node.best_box) if node.best_box else None,
        "cue_kind": node.cue_kind,
        "cue_phrase": node.cue.phrase if node.cue else None,
        "cue_answer": node.cue.answer if node.cue else None,
        "extractor": node.cue.extractor if node.cue else None,
        "child_shares": node.child_shares,
        "confidences": dict(node.confidences),
    }
    if node.said is not None:
        entry["said"] = node.said
    if heat_cells and node.heat is not None:
        grid = heat_grid(node.heat, node.box.width, node.box.height, heat_cells)
        entry["heat_peak"] = node.heat.peak()
        entry["heat"] = np.rint(grid * HEAT_LEVELS).astype(int).tolist()
    return entry


def _node_from_dict(entry: dict[str, Any], path: list[SearchNode]) -> SearchNode:
    box = Box(*entry["box"])
    cue = None
    if entry["cue_phrase"] is not None:
        cue = Cue(entry["cue_answer"], entry["cue_phrase"], entry["extractor"])
    heat = None
    if "heat" in entry:
        grid = np.array(entry["heat"], np.float32)
        heat = GridHeat(grid, box.width, box.height, entry["heat_peak"])
    return SearchNode(
        box,
        entry["depth"],
        entry["score"],
        parent=None if entry["parent"] is None else path[entry["parent"]],
        confidence=entry["confidence"],
        best_box=Box(*entry["best_box"]) if entry["best_box"] else None,
        said=entry.get("said"),
        cue_kind=entry["cue_kind"],
        cue=cue,
        heat=heat,
        child_shares=entry["child_shares"],
        confidences=dict(entry.get("confidences", {})),  # of older traces there are none
    )


def _edges(box: Box) -> list[float]:
    return [box.x0, box.y0, box.x1, box.y1]
