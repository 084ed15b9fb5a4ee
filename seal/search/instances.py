"""Boxes seen in many regions of one image, as the things that they are: each once, and whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from seal.geometry import Box
from seal.search.near_ties import NearTies

NMS_IOU = 0.5  # where a search names none
OPPOSITE = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}
FACING = 0.5  # two pieces of one thing share this much of the shorter one's length at the border


@dataclass(frozen=True, slots=True)
class Seen:
    """A box as one region shows it."""

    box: Box  # image pixels
    score: float
    node: int  # visit, from 0
    # The region's borders that cut it, side -> place; a border of the image cuts nothing off that
    # another region could show.
    cut_at: dict[str, float] = field(default_factory=dict)


def seen_in(
    region: Box, box: Box, score: float, node: int, image_size: tuple[int, int], border: float
) -> Seen:
    """What a region shows of a thing: nothing beyond it. border: see `EveryInstanceConfig`."""
    width, height = image_size
    x0, x1 = (min(max(x, region.x0), region.x1) for x in (box.x0, box.x1))
    y0, y1 = (min(max(y, region.y0), region.y1) for y in (box.y0, box.y1))
    box = Box(x0, y0, x1, y1)
    gaps = {
        "left": (box.x0 - region.x0, region.width, region.x0, 0),
        "top": (box.y0 - region.y0, region.height, region.y0, 0),
        "right": (region.x1 - box.x1, region.width, region.x1, width),
        "bottom": (region.y1 - box.y1, region.height, region.y1, height),
    }
    cut_at = {
        side: place
        for side, (gap, length, place, end) in gaps.items()
        if place != end and gap <= border * length
    }
    return Seen(box, score, node, cut_at)


def merge(
    seen: Sequence[Seen], *, nms_iou: float, contained: float, ties: NearTies | None = None
) -> list[Seen]:
    """The things behind the boxes, best first.

    A box that no border cuts goes before one that is cut, however sure: the latter is a piece of
    something. Of whole boxes, the surer one stays where two overlap more than `nms_iou` or share
    `contained` of the smaller. A piece goes where something whole covers it; pieces that face each
    other across a border are one thing.
    """
    whole, joined = _sorted_out(seen, nms_iou, contained, ties or NearTies(0))
    return _by_score([*whole, *joined])


def never_whole(seen: Sequence[Seen], *, nms_iou: float, contained: float) -> list[Seen]:
    """The things of `merge` of which no region showed the whole."""
    return _sorted_out(seen, nms_iou, contained, NearTies(0))[1]


def window(piece: Seen, region: Box, image_size: tuple[int, int]) -> Box:
    """A region of whole pixels around a piece that one of `region`'s size may show whole: it lies
    in the middle, as far as the image goes, and is at most half as long.
    """
    edges = []
    for low, high, side, most in (
        (piece.box.x0, piece.box.x1, region.width, image_size[0]),
        (piece.box.y0, piece.box.y1, region.height, image_size[1]),
    ):
        length = min(int(max(side, 2 * (high - low))), most)
        start = min(max(int((low + high - length) / 2), 0), most - length)
        edges.append((start, start + length))
    (x0, x1), (y0, y1) = edges
    return Box(x0, y0, x1, y1)


def _sorted_out(
    seen: Sequence[Seen], nms_iou: float, contained: float, ties: NearTies
) -> tuple[list[Seen], list[Seen]]:
    """Things that were seen whole, and those put together from pieces."""
    seen = [one for one in seen if one.box.area > 0]
    whole = _surest([one for one in seen if not one.cut_at], nms_iou, contained, ties)
    pieces = [one for one in seen if one.cut_at and not _is_known(one, whole, nms_iou, contained)]
    joined = _join(_surest(pieces, nms_iou, contained, ties))
    joined = _surest(joined, nms_iou, contained, ties)
    return whole, [one for one in joined if not _is_known(one, whole, nms_iou, contained)]


def _surest(seen: Sequence[Seen], nms_iou: float, contained: float, ties: NearTies) -> list[Seen]:
    kept: list[Seen] = []
    for one in _by_score(seen):
        better: Seen | None = None
        for other in kept:
            iou, share = one.box.iou(other.box), _overlap(one.box, other.box)
            ties.compare("nms_iou", one.node, iou, nms_iou)
            ties.compare("nms_iou", one.node, share, contained)
            if better is None and (iou > nms_iou or share >= contained):
                better = other
        if better is None:
            kept.append(one)
        else:
            ties.compare("best_box", one.node, one.score, better.score)
    return kept


def _is_known(one: Seen, whole: Sequence[Seen], nms_iou: float, contained: float) -> bool:
    """Whether something whole is it, or covers it."""
    return any(
        one.box.iou(other.box) > nms_iou
        or _intersection(one.box, other.box) >= contained * one.box.area
        for other in whole
    )


def _join(pieces: Sequence[Seen]) -> list[Seen]:
    """Each group of pieces that face each other, as one box with the score of the surest."""
    groups: list[list[Seen]] = []
    for piece in pieces:
        facing = [group for group in groups if any(_face(piece, other) for other in group)]
        groups = [group for group in groups if group not in facing]
        groups.append([piece, *(one for group in facing for one in group)])
    return [
        Seen(
            Box(
                min(one.box.x0 for one in group),
                min(one.box.y0 for one in group),
                max(one.box.x1 for one in group),
                max(one.box.y1 for one in group),
            ),
            best.score,
            best.node,
        )
        for group in groups
        for best in (max(group, key=lambda one: one.score),)
    ]


def _face(one: Seen, other: Seen) -> bool:
    for side, place in one.cut_at.items():
        if other.cut_at.get(OPPOSITE[side]) != place:
            continue
        a, b = one.box, other.box
        along = ((a.y0, a.y1), (b.y0, b.y1))
        if side in ("top", "bottom"):
            along = ((a.x0, a.x1), (b.x0, b.x1))
        (low, high), (start, end) = along
        if min(high, end) - max(low, start) >= FACING * min(high - low, end - start):
            return True
    return False


def _overlap(one: Box, other: Box) -> float:
    """Share of the smaller box that lies in the other."""
    smaller = min(one.area, other.area)
    return _intersection(one, other) / smaller if smaller > 0 else 0.0


def _intersection(one: Box, other: Box) -> float:
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return max(0.0, width) * max(0.0, height)


def _by_score(seen: Sequence[Seen]) -> list[Seen]:
    return sorted(seen, key=lambda one: -one.score)  # of equals the one seen first
