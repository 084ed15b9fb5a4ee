"""Masks as run-length encodings, COCO's compressed form: `{"size": [h, w], "counts": text}`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

RLE = dict[str, Any]


def mask_to_rle(mask: NDArray[Any]) -> RLE:
    """(H, W) of zeros and ones, as RLE."""
    from pycocotools import mask as coco_mask

    if mask.ndim != 2:
        raise ValueError(f"a mask has two dimensions, got {mask.shape}")
    return _as_json(coco_mask.encode(np.asfortranarray(mask.astype(np.uint8))))


def rle_to_mask(rle: RLE) -> NDArray[np.uint8]:
    """RLE as (H, W) of zeros and ones.

    Raises:
        ValueError: the RLE is damaged.
    """
    from pycocotools import mask as coco_mask

    rle_runs(rle)
    # pycocotools runs down the columns; everything that reads the mask runs along the rows.
    mask: NDArray[np.uint8] = np.ascontiguousarray(coco_mask.decode(_as_bytes(rle)))
    return mask


def segmentation_to_rle(segmentation: object, height: int, width: int) -> RLE:
    """COCO's `segmentation` field as one RLE: polygons, compressed or uncompressed RLE.

    Args:
        segmentation: a list of polygons `[x, y, x, y, ...]` in pixels, or an RLE whose `counts`
            is text or a list of run lengths.
        height, width: of the image, pixels.

    Raises:
        ValueError: it is neither, or an RLE of other than height x width pixels, or damaged.
    """
    from pycocotools import mask as coco_mask

    if isinstance(segmentation, dict):
        if list(segmentation.get("size", ())) != [height, width]:
            raise ValueError(
                f"an RLE of size {segmentation.get('size')} on an image of height x width "
                f"{height} x {width}"
            )
        if isinstance(segmentation["counts"], list):
            runs = segmentation["counts"]
            # pycocotools reads what is negative or no whole number as something else.
            if (
                not all(type(run) is int and run >= 0 for run in runs)
                or sum(runs) != height * width
            ):
                raise ValueError("the run lengths of an RLE do not add up to the image's pixels")
            return _as_json(coco_mask.frPyObjects(segmentation, height, width))
        rle_runs(segmentation)
        return _as_json(_as_bytes(segmentation))
    if not isinstance(segmentation, list) or not segmentation:
        raise ValueError(f"a segmentation is a list of polygons or an RLE, got {segmentation!r}")
    for polygon in segmentation:
        if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
            raise ValueError(f"a polygon needs at least three x, y pairs, got {polygon!r}")
        if not all(_is_near(value, height + width) for value in polygon):
            raise ValueError(f"a polygon far outside {width} x {height} pixels: {polygon!r}")
    return merge_rles([_as_json(r) for r in coco_mask.frPyObjects(segmentation, height, width)])


def _is_near(value: object, side: int) -> bool:
    """Whether a coordinate is one: pycocotools crashes the process on NaN and what is far away."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and -10 * side <= value <= 10 * side  # type: ignore[operator]


def merge_rles(rles: Sequence[RLE]) -> RLE:
    """The union of masks of one size."""
    from pycocotools import mask as coco_mask

    return _as_json(coco_mask.merge([_as_bytes(rle) for rle in rles]))


def rle_area(rle: RLE) -> int:
    """Pixels of the mask."""
    from pycocotools import mask as coco_mask

    return int(coco_mask.area(_as_bytes(rle)))


def rle_runs(rle: RLE) -> NDArray[np.int64]:
    """(n,) lengths of the runs of zeros and ones, by turns, down the columns.

    pycocotools decodes a damaged encoding to memory that nobody wrote to; this finds out.

    Raises:
        ValueError: the text is no encoding, or its runs do not fill the mask.
    """
    height, width = rle["size"]
    counts = rle["counts"]
    raw = counts if isinstance(counts, bytes) else counts.encode("latin-1", "replace")
    codes = np.frombuffer(raw, dtype=np.uint8).astype(np.int64) - 48
    if not len(codes) or codes.min() < 0 or codes.max() > 63 or codes[-1] & 32:
        raise ValueError("the text is no run-length encoding, or is cut off")
    # Numbers of five bits a character, low ones first; 32 says that more follow, 16 in the last
    # one that the number is negative. From the fourth on they are differences to the last but one.
    last = np.flatnonzero(codes & 32 == 0)
    begin = np.concatenate([[0], last[:-1] + 1])
    digits = last - begin + 1
    if digits.max() > 12:
        raise ValueError("the text is no run-length encoding: a run is too long")
    place = np.arange(len(codes)) - np.repeat(begin, digits)
    runs = np.add.reduceat((codes & 31) << (5 * place), begin)
    runs -= np.where(codes[last] & 16, 1 << (5 * digits), 0)
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    if runs.min() < 0 or runs.sum() != height * width:
        raise ValueError(f"the runs add up to {runs.sum()} of {height} x {width} pixels")
    return runs


def _as_json(rle: RLE) -> RLE:
    counts = rle["counts"]
    text = counts.decode("ascii") if isinstance(counts, bytes) else counts
    return {"size": [int(v) for v in rle["size"]], "counts": text}


def _as_bytes(rle: RLE) -> RLE:
    counts = rle["counts"]
    raw = counts.encode("ascii") if isinstance(counts, str) else counts
    return {"size": list(rle["size"]), "counts": raw}
