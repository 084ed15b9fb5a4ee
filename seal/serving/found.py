"""What was searched for and found, as the field `seal` of a reply and the events of a stream."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from seal.geometry import Box
from seal.pipeline.answer import Answer
from seal.pipeline.events import Event, Planned, Visited
from seal.search.result import SearchResult
from seal.search.trace import to_dict


def told_answer(
    answer: Answer, *, trace: bool = False, not_used: Sequence[str] = ()
) -> dict[str, Any]:
    """JSON-able. Boxes are [left, top, right, bottom] in pixels of the upright picture.

    trace: with every visit of every search. not_used: fields of the request without an effect.
    """
    memory = answer.memory
    image = None if memory is None else memory.image
    told: dict[str, Any] = {
        "image_size": None if image is None else list(image.size),
        "first_text": answer.first_text,
        "missing": answer.missing,
        "unsearchable": answer.unsearchable,
        "not_found": answer.not_found,
        "searches": [told_search(result, trace=trace) for result in answer.searches],
        "memory": [
            {"name": target.name, "boxes": list(map(_box, target.boxes))}
            for target in (() if memory is None else memory.targets)
        ],
        "left_out": answer.left_out,
        "plan": None if answer.plan is None else answer.plan.to_dict(),
        "cost": answer.cost,
        "answered_by": answer.answered_by,
    }
    if answer.losses:
        told |= {
            "option": answer.option,
            "losses": [loss if math.isfinite(loss) else None for loss in answer.losses],
            "probabilities": answer.probabilities,
            "chosen_by": answer.chosen_by,
        }
    if answer.notes:
        told["notes"] = answer.notes
    if answer.levels:
        told["levels"] = list(answer.levels)
    if not_used:
        told["not_used"] = list(not_used)
    return told


def told_search(result: SearchResult, *, trace: bool = False) -> dict[str, Any]:
    """Of one target; "" stands for whatever the question is about."""
    told = {
        "target": result.target,
        "strategy": result.strategy,
        "found": result.found,
        "boxes": list(map(_box, result.boxes)),
        "scores": [round(float(score), 6) for score in result.scores],
        "best_box": None if result.best_box is None else _box(result.best_box),
        "best_score": round(float(result.best_score), 6),
        "visits": len(result.path),
        "settled": result.settled,
        "stopped_early": result.stopped_early,
    }
    return told | {"trace": to_dict(result)} if trace else told


def told_event(event: Event) -> dict[str, Any]:
    """One event of a question, as it happens."""
    if isinstance(event, Planned):
        plan = event.plan
        return {"event": "planned", "by": plan.by, "missing": list(plan.targets),
                "first_text": plan.first_text}  # fmt: skip
    if isinstance(event, Visited):
        node = event.node
        return {
            "event": "visited",
            "target": event.target,
            "place": event.place,
            "number": event.number,
            "region": _box(node.box),
            "depth": node.depth,
            "confidence": round(float(node.confidence), 6),
            "best_box": None if node.best_box is None else _box(node.best_box),
            "cue": None if node.cue is None else {"kind": node.cue_kind, **asdict(node.cue)},
        }
    return {"event": "searched", "place": event.place, **told_search(event.result)}


def _box(box: Box) -> list[float]:
    return [round(float(edge), 2) for edge in (box.x0, box.y0, box.x1, box.y1)]
