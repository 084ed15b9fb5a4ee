"""Where the labels of a picture's points stand: no two overlap, and none covers a point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seal.geometry import Box

# Places around a point: which side of the label touches it, first choice first.
_SIDES = ((1, 0), (-1, 0), (1, -1), (1, 1), (-1, -1), (-1, 1), (0, -1), (0, 1))
_NEAR = (9.0, 18.0, 30.0)  # pixels between a point and its label
_WITHOUT_LEADER = 10.0  # farther than this a line shows what a label belongs to


@dataclass(frozen=True, slots=True)
class Label:
    """Where a label stands, and whether a line has to lead to it."""

    box: Box
    leader: bool


def place_labels(
    points: Sequence[tuple[float, float]],
    widths: Sequence[float],
    *,
    height: float,
    area: Box,
    obstacles: Sequence[Box] = (),
) -> list[Label]:
    """One label a point, beside it where there is room, else in a column right of `area`.

    Args:
        points: (x, y) of each point, pixels, y downwards; all inside `area`.
        widths: of each label's text; `height`: of a line of text.
        area: where labels may stand; the column begins at its right edge and is as wide as its
            widest label. It ends above `area.y1` while `len(points) * height <= area.height`.
        obstacles: what else no label may cover.
    """
    dots = [Box(x - 5, y - 5, x + 5, y + 5) for x, y in points]
    taken = [*dots, *obstacles]
    placed: dict[int, Label] = {}
    # From the top down, so that the order does not depend on the order of the points.
    order = sorted(range(len(points)), key=lambda i: (points[i][1], points[i][0], i))
    for i in order:
        label = _beside(points[i], widths[i], height, area, taken)
        if label is not None:
            placed[i] = label
            taken.append(label.box)
    left = [i for i in order if i not in placed]
    tops = _column([points[i][1] - height / 2 for i in left], height, area)
    for i, top in zip(left, tops, strict=True):
        box = Box(area.x1 + 14, top, area.x1 + 14 + widths[i], top + height)
        placed[i] = Label(box, leader=True)
    return [placed[i] for i in range(len(points))]


def overlap(first: Box, second: Box) -> bool:
    """Whether two boxes share more than an edge."""
    return (
        first.x0 < second.x1
        and second.x0 < first.x1
        and first.y0 < second.y1
        and second.y0 < first.y1
    )


def _beside(
    point: tuple[float, float], width: float, height: float, area: Box, taken: Sequence[Box]
) -> Label | None:
    x, y = point
    for distance in _NEAR:
        for dx, dy in _SIDES:
            left = x + distance if dx > 0 else x - distance - width if dx < 0 else x - width / 2
            apart = distance if dx == 0 else distance / 2
            top = y + apart if dy > 0 else y - apart - height if dy < 0 else y - height / 2
            box = Box(left, top, left + width, top + height)
            inside = (
                box.x0 >= area.x0 and box.y0 >= area.y0 and box.x1 <= area.x1 and box.y1 <= area.y1
            )
            if inside and not any(overlap(box, other) for other in taken):
                return Label(box, leader=distance > _WITHOUT_LEADER)
    return None


def _column(tops: Sequence[float], height: float, area: Box) -> list[float]:
    """Tops of lines below one another, each as near as can be to where it would like to be."""
    placed: list[float] = []
    for top in tops:
        placed.append(max(top, area.y0, placed[-1] + height if placed else area.y0))
    limit = area.y1
    for i in reversed(range(len(placed))):
        placed[i] = min(placed[i], limit - height)
        limit = placed[i]
    # More lines than fit go on below the area rather than over one another.
    shift = area.y0 - placed[0] if placed and placed[0] < area.y0 else 0.0
    return [top + shift for top in placed]
