"""Whether two systems differ when questions come in clusters: the signs of whole clusters flip.

If neither system is better, the difference on each cluster (the questions of one image, say) could
as well have come out the other way round. The p-value is the share of all ways to turn clusters
round whose total is at least as large as the one seen (Fisher's randomization test of pairs, 1935).
With one right-or-wrong question in each cluster it is McNemar's exact test.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from seal.metrics.intervals import cluster_numbers

DRAWS = 10_000  # where the sums are no whole numbers and there are too many ways to try them all
_MOST_TRIED = 16  # clusters of which every way is tried: 65536 of them
_SIGNS_AT_ONCE = 2_000_000  # bounds the memory
_ROUNDING = 1e-9  # totals this near are equal


def sign_flip(
    differences: Sequence[float] | np.ndarray,
    clusters: Sequence[Hashable] | None = None,
    *,
    seed: int = 0,
) -> float:
    """Two-sided p-value of the differences of two systems, one an item.

    Exact where the sums of the clusters are whole numbers (right-or-wrong items), however many
    there are, and where at most 16 of them are not zero. Else from 10 000 seeded ways to flip, the
    one seen being among them, so never below 1 / 10 001.
    """
    values = np.asarray(differences, np.float64)
    groups = cluster_numbers(clusters, len(values))
    sums = values if groups is None else np.bincount(groups, values)
    sums = sums[np.abs(sums) > _ROUNDING]
    if len(sums) == 0:
        return 1.0
    whole = np.rint(sums)
    if np.all(np.abs(sums - whole) < _ROUNDING):
        return _of_whole_numbers(np.abs(whole).astype(int), abs(int(whole.sum())))
    least = abs(sums.sum()) - _ROUNDING
    if len(sums) <= _MOST_TRIED:
        totals = np.zeros(1)
        for part in sums:
            totals = np.concatenate([totals + part, totals - part])
        return float(np.mean(np.abs(totals) >= least))
    rng = np.random.default_rng(seed)
    beyond = 0
    step = max(1, _SIGNS_AT_ONCE // len(sums))
    for start in range(0, DRAWS, step):
        signs = rng.integers(0, 2, (min(step, DRAWS - start), len(sums))) * 2 - 1
        beyond += int((np.abs(signs @ sums) >= least).sum())
    return (1 + beyond) / (1 + DRAWS)


def _of_whole_numbers(sizes: np.ndarray, seen: int) -> float:
    """Chance that the total of randomly signed `sizes` is `seen` or more away from 0.

    The distribution of the total, added up cluster by cluster; only additions of positive numbers,
    so small chances keep their digits.
    """
    reach = int(sizes.sum())
    chances = np.zeros(2 * reach + 1)  # of the totals -reach ... reach
    chances[reach] = 1.0
    for size in sizes:
        moved = np.zeros_like(chances)
        moved[size:] += 0.5 * chances[: len(chances) - size]
        moved[: len(chances) - size] += 0.5 * chances[size:]
        chances = moved
    tail = float(chances[: reach - seen + 1].sum())
    return min(1.0, 2 * tail) if seen else 1.0
