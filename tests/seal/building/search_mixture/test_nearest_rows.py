from __future__ import annotations

import numpy as np
import pytest

from seal.building.search_mixture.nearest_rows import nearest_rows


def rows(number: int, seed: int = 0) -> np.ndarray:
    found = np.random.default_rng(seed).normal(size=(number, 6)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.mark.parametrize(("query_block", "row_block"), [(1, 1), (7, 3), (16, 16), (1024, 16384)])
def test_blocks_do_not_change_the_neighbors(query_block: int, row_block: int) -> None:
    features = rows(50)
    features[[3, 20, 41]] = features[8]  # ties
    similarity = np.rint((features @ features.T) / 1e-5)
    np.fill_diagonal(similarity, -np.inf)
    expected = np.argsort(-similarity, axis=1, kind="stable")[:, :5]
    found = nearest_rows(features, 5, query_block=query_block, row_block=row_block)
    np.testing.assert_array_equal(found, expected)


def test_equal_rows_come_in_their_order_and_never_the_row_itself() -> None:
    features = np.repeat(rows(1), 4, axis=0)
    assert nearest_rows(features, 2).tolist() == [[1, 2], [0, 2], [0, 1], [0, 1]]


def test_a_row_of_zeros_is_nobodys_neighbor_and_has_none() -> None:
    features = rows(4)
    features[2] = 0
    found = nearest_rows(features, 5, row_block=2)
    assert found[2].tolist() == [-1] * 5
    for i in (0, 1, 3):
        assert sorted(found[i].tolist()) == sorted([-1, -1, -1, *({0, 1, 3} - {i})])


def test_a_memory_mapped_table_is_read(tmp_path) -> None:  # type: ignore[no-untyped-def]
    np.save(tmp_path / "rows.npy", rows(9))
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    np.testing.assert_array_equal(nearest_rows(mapped, 3), nearest_rows(rows(9), 3))
