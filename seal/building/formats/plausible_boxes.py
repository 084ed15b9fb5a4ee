"""Judge the boxes of a source all together: their units, their order, and what they contradict.

One box may be anything; hundreds that all lie within 0..1, or of which a third run past the border
of their image, are written in another form than pixels x, y, width, height.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_FEW = 8  # boxes; fewer prove nothing
_MOST = 20_000  # boxes that are looked at
_CLEAR = 0.2  # share of boxes that contradict their image or mask, from which on all are refused
_SOME = 0.02  # share that is told
_SLACK = 0.02  # of a side, by which a box may pass its image's border
Floats = NDArray[np.float64]
Sample = tuple[tuple[float, ...], tuple[int, int], tuple[float, ...] | None]

_CORNERS = "[x0, y0, x1, y1]"
_CENTERS = "[center x, center y, width, height]"
_THOUSANDTHS = "thousandths of the image (0..1000)"
_PERCENT = "percent of the image (0..100)"
_FRACTIONS = "fractions of the image (0..1)"
_WAY_OUT = {
    _CORNERS: "write x1 - x0 and y1 - y0",
    _CENTERS: "write the left upper corner",
    _THOUSANDTHS: "multiply by the image's size / 1000",
    _PERCENT: "multiply by the image's size / 100",
    _FRACTIONS: "multiply by the image's size",
}


@dataclass(frozen=True, slots=True)
class Doubt:
    """What is implausible about boxes."""

    kind: str  # for counts
    message: str
    boxes: int  # that it is about
    certain: bool  # nothing else explains it


def check_boxes(samples: Iterable[Sample], source: object, *, insist: bool) -> Counter[str]:
    """Look at the boxes of a source before anything is built from them.

    Args:
        samples: of each box its numbers x, y, width, height as they stand in the file, width and
            height of its image in pixels, and x, y, width, height of its own mask, if it has one.
        source: what messages call it.
        insist: boxes that can hardly be right are told, and taken.

    Returns:
        What is told on the terminal, for the counts of the set.

    Raises:
        ValueError: they are not in pixels, x, y, width, height.
    """
    rows = [(*box, *size, *(mask or (np.nan,) * 4)) for box, size, mask in _first(samples)]
    table = np.array(rows, dtype=np.float64).reshape(-1, 10)
    counts: Counter[str] = Counter()
    for doubt in judge_boxes(table[:, :4], table[:, 4:6], table[:, 6:]):
        message = f"{source}: {doubt.message}"
        if doubt.certain and not insist:
            raise ValueError(f"{message}; check_boxes=false believes them")
        print(f"WARNING: {message}", file=sys.stderr)
        counts[f"WARNING: {doubt.kind}, of {len(table)} looked at"] = doubt.boxes
    return counts


def judge_boxes(boxes: Floats, sizes: Floats, masks: Floats | None = None) -> list[Doubt]:
    """What is implausible, the most telling first.

    boxes: (N, 4) x, y, width, height; sizes: (N, 2) width and height of their images, pixels;
    masks: (N, 4) the extents of their own masks, NaN where there is none.
    """
    if len(boxes) == 0:
        return []
    if found := _units(boxes, sizes):
        return [found]
    doubts = [_flat(boxes), _beside_masks(boxes, sizes, masks), _past_border(boxes, sizes)]
    if not any(doubts):
        doubts = [_left_upper(boxes, sizes), _cut_corners(boxes, sizes), _whole(boxes, sizes)]
    return [doubt for doubt in doubts if doubt is not None]


def _first(samples: Iterable[Sample]) -> Iterable[Sample]:
    for number, sample in enumerate(samples):
        if number == _MOST:
            return
        if any(sample[0]):  # four zeros stand for no box
            yield sample


def _told(boxes: int, number: int) -> str:
    return f"all {number} boxes" if boxes == number else f"{boxes} of {number} boxes"


def _like(form: str) -> str:
    """What to do about boxes of a known other form."""
    return f"they look like {form}; pixels [x, y, width, height] are expected: {_WAY_OUT[form]}"


def _units(boxes: Floats, sizes: Floats) -> Doubt | None:
    """Fractions and percent: everything lies in the left upper corner."""
    number = len(boxes)
    large = sizes.min(1) >= 16
    tiny = (np.abs(boxes).max(1) <= 1.5) & large
    if (count := int(tiny.sum())) >= max(2, _SOME * number):
        message = f"{_told(count, number)} have no number above 1.5: {_like(_FRACTIONS)}"
        certain = count >= _FEW and count >= _CLEAR * number
        return Doubt("boxes like fractions", message, count, certain)
    for scale, form in ((100.0, _PERCENT), (1000.0, _THOUSANDTHS)):
        inside = (boxes.max(1) <= 1.005 * scale) & (boxes.min(1) >= -0.005 * scale)
        ends = boxes[:, :2] + boxes[:, 2:]
        corners = bool((boxes[:, 2:] >= boxes[:, :2]).all())
        inside &= corners | (ends.max(1) <= 1.005 * scale)
        small = np.median(sizes.min(1)) < 2 * scale
        spread = np.ptp(boxes[:, :2], axis=0).min() >= 0.2 * scale
        reach = (boxes[:, 2:] if corners else ends).max(0).min() >= 0.6 * scale
        if number >= _FEW and inside.mean() >= 0.99 and not small and spread and reach:
            message = (
                f"{_told(int(inside.sum()), number)} lie within 0..{scale:g} though their images "
                f"have {np.median(sizes[:, 0]):g} x {np.median(sizes[:, 1]):g} pixels (median): "
                f"{_like(form)}"
            )
            return Doubt(f"boxes like {form}", message, int(inside.sum()), True)
    return None


def _flat(boxes: Floats) -> Doubt | None:
    number, count = len(boxes), int((boxes[:, 2:].min(1) <= 0).sum())
    if count < max(2, _SOME * number):
        return None
    message = (
        f"{_told(count, number)} have no width or height above 0; [x, y, width, height] is expected"
    )
    certain = number >= _FEW and count >= _CLEAR * number
    return Doubt("boxes without width or height", message, count, certain)


def _beside_masks(boxes: Floats, sizes: Floats, masks: Floats | None) -> Doubt | None:
    """Boxes that are not those of their own masks."""
    if masks is None:
        return None
    # Smaller ones are a matter of rounding.
    known = np.isfinite(masks[:, 0]) & (np.nan_to_num(masks[:, 2:]).min(1) >= 4)
    boxes, sizes, masks = boxes[known], sizes[known], masks[known]
    number = len(boxes)
    apart = _iou(boxes, masks) < 0.5
    count = int(apart.sum())
    if number == 0 or count < max(2, _SOME * number):
        return None
    message = f"{_told(count, number)} with a mask lie elsewhere than their own masks"
    for form, read in _readings(boxes, sizes):
        if (_iou(read, masks) >= 0.8).mean() >= 0.95:
            message = f"{message}: {_like(form)}"
            break
    certain = number >= _FEW and count >= _CLEAR * number
    return Doubt("boxes apart from their own masks", message, count, certain)


def _past_border(boxes: Floats, sizes: Floats) -> Doubt | None:
    number, count = len(boxes), int((~_inside(boxes, sizes)).sum())
    if count < max(2, _SOME * number):
        return None
    message = f"{_told(count, number)} run past the border of their image"
    likely = False
    reach = (boxes[:, :2] + boxes[:, 2:]).max(0)
    for form, read in _readings(boxes, sizes):
        if form == _THOUSANDTHS and (reach.min() < 900 or reach.max() > 1005):
            continue
        if (_inside(read, sizes) & (read[:, 2:].min(1) > 0)).mean() >= 0.98:
            message, likely = f"{message}, and {_like(form)}", True
            break
    else:
        message = f"{message}: are they of copies of another size?"
    certain = number >= _FEW and count >= (0.05 if likely else _CLEAR) * number
    return Doubt("boxes past their image's border", message, count, certain)


def _left_upper(boxes: Floats, sizes: Floats) -> Doubt | None:
    """Nothing in the right or lower half of any image."""
    number = len(boxes)
    reach = ((boxes[:, :2] + boxes[:, 2:]) / sizes).max(0)
    if number < 3 * _FEW or reach.max() > 0.6:
        return None
    message = (
        f"none of {number} boxes reaches beyond {reach[0]:.0%} of its image's width or "
        f"{reach[1]:.0%} of its height: are they of smaller copies of the images, or in percent?"
    )
    return Doubt("boxes in the left upper corner alone", message, number, False)


def _cut_corners(boxes: Floats, sizes: Floats) -> Doubt | None:
    """Corners read as width and height, then cut at the border, as a finished set has them.

    Such a box is at least as wide as it is far from the left, and as high as it is far from the
    top, or ends at the border. Of true boxes as many break this rule as break its mirror image.
    """
    number = len(boxes)
    rest = sizes - boxes[:, :2] - boxes[:, 2:]  # to the right and lower border
    ends = rest <= 0.5
    breaks = ((boxes[:, 2:] < boxes[:, :2]) & ~ends).any(1).mean()
    mirrored = ((boxes[:, 2:] < rest) & (boxes[:, :2] > 0.5)).any(1).mean()
    if number < _FEW or breaks > 0.01 or mirrored < 0.1 or ends.any(1).mean() < 0.25:
        return None
    message = (
        f"{int(ends.any(1).sum())} of {number} boxes end at the right or lower border, and all are "
        f"as wide and high as they are far from the left and the top: {_like(_CORNERS)}"
    )
    return Doubt("boxes like corners cut at the border", message, number, number >= 3 * _FEW)


def _whole(boxes: Floats, sizes: Floats) -> Doubt | None:
    number = len(boxes)
    whole = (boxes[:, :2] <= 0.01 * sizes) & (boxes[:, :2] + boxes[:, 2:] >= 0.99 * sizes)
    count = int(whole.all(1).sum())
    if number < _FEW or count < 0.9 * number:
        return None
    message = f"{_told(count, number)} are their whole image: labels of images are no places"
    return Doubt("boxes of the whole image", message, count, False)


def _readings(boxes: Floats, sizes: Floats) -> Iterable[tuple[str, Floats]]:
    """What the boxes would be if they were written in another form."""
    first, second = boxes[:, :2], boxes[:, 2:]
    yield _CORNERS, np.hstack([first, second - first])
    yield _CENTERS, np.hstack([first - second / 2, second])
    for scale, form in ((1000.0, _THOUSANDTHS), (100.0, _PERCENT), (1.0, _FRACTIONS)):
        yield form, boxes * np.tile(sizes, 2) / scale


def _inside(boxes: Floats, sizes: Floats) -> NDArray[np.bool_]:
    slack = np.maximum(2.0, _SLACK * sizes)
    ends = boxes[:, :2] + boxes[:, 2:]
    inside = (boxes[:, :2] >= -slack) & (ends <= sizes + slack)
    return inside[:, 0] & inside[:, 1]


def _iou(boxes: Floats, others: Floats) -> Floats:
    """Overlap of each pair of xywh boxes; 0 where one has no area."""
    low = np.maximum(boxes[:, :2], others[:, :2])
    high = np.minimum(boxes[:, :2] + boxes[:, 2:], others[:, :2] + others[:, 2:])
    shared = (high - low).clip(0).prod(1)
    areas = boxes[:, 2:].clip(0).prod(1) + others[:, 2:].clip(0).prod(1)
    overlap: Floats = shared / np.maximum(areas - shared, 1e-9)
    return overlap
