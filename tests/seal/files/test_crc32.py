from __future__ import annotations

import zlib
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from seal.files.crc32 import combine_crc32


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=6))
def test_the_checksums_of_pieces_make_that_of_the_whole(pieces: list[bytes]) -> None:
    joined = reduce(lambda crc, piece: combine_crc32(crc, zlib.crc32(piece), len(piece)), pieces, 0)
    assert joined == zlib.crc32(b"".join(pieces))


def test_a_piece_may_be_large() -> None:
    first, second = b"abc", bytes(range(251)) * 40_000  # 10 MB
    joined = combine_crc32(zlib.crc32(first), zlib.crc32(second), len(second))
    assert joined == zlib.crc32(first + second)
