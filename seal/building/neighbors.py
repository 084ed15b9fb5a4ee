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
    empty = np.array(
        [
            not row.any()
            for start in range(0, number, row_block)
            for row in features[start : start + row_block]
        ],
        dtype=bool,
    )
    for start in tqdm(range(0, number, query_block), "neighbors", unit="block"):
        stop = min(start + query_block, number)
        queries = np.asarray(features[start:stop], dtype=np.float32)
        indices = np.empty((stop - start, 0), dtype=np.int64)
        scores = np.empty((stop - start, 0), dtype=np.float32)
        for first in range(0, number, row_block):
            last = min(first + row_block, number)
            found = queries @ np.asarray(features[first:last], dtype=np.float32).T
            found = np.rint(found / _STEP).astype(np.float32)
            found[:, empty[first:last]] = -np.inf
            own = np.arange(max(first, start), min(last, stop))
            found[own - start, own - first] = -np.inf
            new_indices, new_scores = _best(found, first, count)
            indices = np.concatenate([indices, new_indices], axis=1)
            scores = np.concatenate([scores, new_scores], axis=1)
            # Blocks come in the order of their indices, so a stable sort keeps ties in it.
            order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
            indices = np.take_along_axis(indices, order, axis=1)
            scores = np.take_along_axis(scores, order, axis=1)
        indices[np.isneginf(scores)] = -1
        best[start:stop, : indices.shape[1]] = indices
    best[empty] = -1
    return best


def _best(found: np.ndarray, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The `count` best columns of each row, indices from `first` on; lower ones first in a tie."""
    if found.shape[1] <= count:
        order = np.argsort(-found, axis=1, kind="stable")
        return order + first, np.take_along_axis(found, order, axis=1)
    # The smallest score that still counts; whatever equals it competes by index.
    least = np.partition(found, -count, axis=1)[:, -count]
    order = np.empty((len(found), count), dtype=np.int64)
    for i, row in enumerate(found):
        columns = np.flatnonzero(row >= least[i])
        order[i] = columns[np.argsort(-row[columns], kind="stable")[:count]]
    return order + first, np.take_along_axis(found, order, axis=1)
