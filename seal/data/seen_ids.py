"""The ids of millions of records, to notice one that occurs twice."""

from __future__ import annotations

import hashlib
from array import array


class SeenIds:
    """A set of ids, each kept as an 8-byte hash in an open-addressed table.

    Two of n ids share a hash, and stop a build, with a chance of n^2 / 2^65: 10^-7 for 2 million.
    """

    def __init__(self) -> None:
        self._table = array("Q", bytes(8 * 1024))  # 0: free
        self._count = 0

    def add(self, id: str) -> bool:
        """Whether it is new."""
        digest = hashlib.blake2b(id.encode("utf-8"), digest_size=8).digest()
        if not self._put(int.from_bytes(digest, "little") or 1):
            return False
        self._count += 1
        if 2 * self._count > len(self._table):
            held = self._table
            self._table = array("Q", bytes(8 * 2 * len(held)))
            for value in held:
                if value:
                    self._put(value)
        return True

    def _put(self, value: int) -> bool:
        table = self._table
        mask = len(table) - 1
        place = value & mask
        while (other := table[place]) != 0:
            if other == value:
                return False
            place = (place + 1) & mask
        table[place] = value
        return True
