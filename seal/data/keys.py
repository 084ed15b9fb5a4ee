"""Numbers for conversations and pictures, which dropout is drawn from: the same in every batch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from seal.batch import Sample


def row_keys(samples: Sequence[Sample]) -> list[int]:
    """A number for each row: of the sample's id, its place among those of that id, and the row's.

    Wherever a row ends up, its key is the same, unless a batch holds a sample twice.
    """
    keys = []
    seen: dict[str, int] = {}
    for sample in samples:
        for _ in sample.rows:
            seen[sample.id] = seen.get(sample.id, 0) + 1
            keys.append(key_of(f"{sample.id}/{seen[sample.id]}"))
    return keys


def key_of(name: str) -> int:
    """A number of 64 bits for a name."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)
