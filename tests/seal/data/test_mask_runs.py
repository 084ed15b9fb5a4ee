from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seal.data.mask_runs import rle_runs
from seal.data.masks import mask_to_rle


@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(1, 60), st.floats(0, 1))
def test_runs_are_those_of_the_mask(seed: int, height: int, width: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    mask = (rng.random((height, width)) < share).astype(np.uint8)
    if seed % 2:
        mask[height // 4 : height // 2, width // 4 :] = 1  # long runs
    runs = rle_runs(mask_to_rle(mask))
    turns = np.arange(len(runs)) % 2
    assert np.array_equal(np.repeat(turns, runs).reshape(width, height).T, mask)


@pytest.mark.parametrize("counts", ["", "zzzz", "0000001", "PPYo", "P", "\t", "}}"])
def test_a_damaged_encoding_is_refused(counts: str) -> None:
    with pytest.raises(ValueError, match=r"encoding|add up to"):
        rle_runs({"size": [40, 60], "counts": counts})
