"""What searches came to, as JSON, and whether one path of `eval/speed` came to what another did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seal.geometry import Box
from seal.search.result import SearchResult

BOX_TOLERANCE = 0.5  # pixels
MARGIN = 1e-4  # of a decision that another order of sums may turn
Outcome = dict[str, Any]


def outcome(question: str, result: SearchResult) -> Outcome:
    """Visits, verdict, boxes and words of one search; boxes in image pixels."""
    return {
        "question": question,
        "target": result.target,
        "found": result.found,
        "boxes": [_plain(box) for box in result.boxes],
        "path": [
            {
                "box": _plain(node.box),
                "confidence": node.confidence,
                "best_box": None if node.best_box is None else _plain(node.best_box),
                "cue": None if node.cue is None else node.cue.answer,
                "cued": node.cue_kind == "contextual",
            }
            for node in result.path
        ],
        "near_ties": [
            {"kind": tie.kind, "node": tie.node, "margin": tie.margin}
            for tie in getattr(result, "near_ties", [])
        ],
    }


def compare(ours: Sequence[Outcome], theirs: Sequence[Outcome]) -> dict[str, Any]:
    """How far searches agree with those of a reference, which are as many in the same order.

    Returns:
        counts of `searches`, and of those with the same visits, verdict, boxes (within
        `BOX_TOLERANCE`) and cue words; `max_box_px`, the largest distance of an edge of the boxes
        that both give, and `max_confidence`, of what both saw on a visit that both made up to where
        they part; `differing`: what differs, by id, with the margin of the reference's
        closest decision up to where they part (None: not below the search's `near_tie_margin`).
    """
    counts = dict.fromkeys(("same_visits", "same_verdict", "same_boxes", "same_words"), 0)
    furthest = confidence = 0.0
    differing: list[dict[str, Any]] = []
    for one, other in zip(ours, theirs, strict=True):
        assert (one["question"], one["target"]) == (other["question"], other["target"])
        distance = _distance(one["boxes"], other["boxes"])
        agreed = {
            "same_visits": _visits(one) == _visits(other),
            "same_verdict": one["found"] == other["found"],
            "same_boxes": distance is not None and distance <= BOX_TOLERANCE,
            "same_words": [n["cue"] for n in one["path"]] == [n["cue"] for n in other["path"]],
        }
        for name, same in agreed.items():
            counts[name] += same
        furthest = max(furthest, distance or 0.0)
        confidence = max(confidence, _confidence(one, other))
        parts = [name for name in agreed if not agreed[name] and name != "same_words"]
        if parts:
            differing.append(
                {
                    "question": one["question"],
                    "target": one["target"],
                    "differs": [name.removeprefix("same_") for name in parts],
                    "box_px": distance,
                    "margin": _margin(one, other),
                }
            )
    return {
        "searches": len(ours), **counts, "max_box_px": furthest,
        "max_confidence": confidence, "differing": differing,
    }  # fmt: skip


def holds(compared: Mapping[str, Any], share: float = 0.005) -> bool:
    """Whether what differs are near-ties alone, and no more than `share` of all searches."""
    differing = compared["differing"]
    close = [each["margin"] is not None and each["margin"] <= MARGIN for each in differing]
    return all(close) and len(differing) <= share * compared["searches"]


def _margin(one: Outcome, other: Outcome) -> float | None:
    """Of the reference's closest decision up to the last visit that both make."""
    together = _together(one, other)
    margins = [tie["margin"] for tie in other["near_ties"] if tie["node"] < together]
    return min(margins, default=None)


def _confidence(one: Outcome, other: Outcome) -> float:
    both = zip(one["path"], other["path"][: _together(one, other)], strict=False)
    return max((abs(mine["confidence"] - its["confidence"]) for mine, its in both), default=0.0)


def _together(one: Outcome, other: Outcome) -> int:
    """The visits up to where two searches part."""
    together = 0
    for mine, its in zip(_visits(one), _visits(other), strict=False):
        if mine != its:
            break
        together += 1
    return together


def _visits(outcome: Outcome) -> list[list[float]]:
    return [node["box"] for node in outcome["path"]]


def _distance(ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]]) -> float | None:
    """The furthest that an edge lies from its own; None: these are not as many boxes."""
    if len(ours) != len(theirs):
        return None
    pairs = zip(ours, theirs, strict=True)
    return max(
        (abs(a - b) for mine, its in pairs for a, b in zip(mine, its, strict=True)), default=0.0
    )


def _plain(box: Box) -> list[float]:
    return [float(edge) for edge in (box.x0, box.y0, box.x1, box.y1)]
