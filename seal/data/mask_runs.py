"""What a compressed mask says, without drawing it: its runs, or that it is damaged."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seal.data.masks import RLE


def rle_runs(rle: RLE) -> NDArray[np.int64]:
    """(n,) lengths of the runs of zeros and ones, by turns, down the columns.

    pycocotools reads past the end of a damaged encoding and makes up pixels; this finds out.

    Raises:
        ValueError: the text is no encoding, or its runs do not fill the mask.
    """
    height, width = rle["size"]
    counts = rle["counts"].encode("latin-1", "replace")
    codes = np.frombuffer(counts, dtype=np.uint8).astype(np.int64) - 48
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
