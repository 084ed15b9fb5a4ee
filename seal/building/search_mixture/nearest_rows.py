"""The most similar rows of a large table, block by block."""

from __future__ import annotations

import numpy as np
from tqdm import tqdm

# Sums in float32 differ in their last bits between libraries and block sizes; beyond this step
# two similarities are a tie.
_STEP = 1e-5


def nearest_rows(
    features: np.ndarray, count: int, *, query_block: int = 1024, row_block: int = 16384
) -> np.ndarray:
    """(N, D) rows of length 1 -> (N, count) indices by falling cosine; ties: the lower index first.

    A row is not its own neighbor. Rows of zeros are nobody's neighbors and have none; what is
    missing is -1. Memory: `query_block` x `row_block` floats, whatever N.
    """
    number = len(features)
    best = np.full((number, count), -1, dtype=np.int64)
    empty = np.concatenate(
        [
            ~np.asarray(features[start : start + row_block]).any(axis=1)
            for start in range(0, number, row_block)
        ]
    )
    for start in tqdm(range(0, number, query_block), "neighbors", unit="block"):
        stop = min(start + query_block, number)
        queries = np.asarray(features[start:stop], dtype=np.float32)
        indices = np.full((stop - start, count), -1, dtype=np.int64)
        scores = np.full((stop - start, count), -np.inf, dtype=np.float32)
        for first in range(0, number, row_block):
            last = min(first + row_block, number)
            found = queries @ np.asarray(features[first:last], dtype=np.float32).T
            found /= _STEP
            np.rint(found, out=found)
            found[:, empty[first:last]] = -np.inf
            own = np.arange(max(first, start), min(last, stop))
            found[own - start, own - first] = -np.inf
            indices, scores = _merged(indices, scores, found, first)
        best[start:stop] = indices
    best[empty] = -1
    return best


def _merged(
    indices: np.ndarray, scores: np.ndarray, found: np.ndarray, first: int
) -> tuple[np.ndarray, np.ndarray]:
    """The best of what is known, (Q, K), and of a block, (Q, R), whose indices begin at `first`."""
    count = indices.shape[1]
    # Blocks come in the order of their indices: what only equals the last one known loses to it.
    better = found > scores[:, -1:]
    if first == 0 and found.shape[1] > count:
        better &= found >= np.partition(found, -count, axis=1)[:, -count, None]
    rows, columns = np.nonzero(better)
    all_rows = np.concatenate([np.repeat(np.arange(len(found)), count), rows])
    all_indices = np.concatenate([indices.ravel(), columns + first])
    all_scores = np.concatenate([scores.ravel(), found[rows, columns]])
    order = np.lexsort((all_indices, -all_scores, all_rows))
    starts = np.searchsorted(all_rows[order], np.arange(len(found)))  # each row has `count` or more
    chosen = order[starts[:, None] + np.arange(count)]
    return all_indices[chosen], all_scores[chosen]
