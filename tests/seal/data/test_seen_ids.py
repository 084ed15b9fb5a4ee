"""An id is new once."""

from __future__ import annotations

from seal.data.seen_ids import SeenIds


def test_ids_whose_hashes_meet_in_the_table_are_told_apart() -> None:
    seen = SeenIds()
    places = len(seen._table)
    assert [seen._put(value) for value in (5, 5 + places, 5 + 2 * places, 5)] == [True] * 3 + [
        False
    ]
