"""Which visual tokens show a picture cut into tiles: its grid, at each level of granularity.

A tile is what the vision tower sees at once, `side x side` tokens at the finest level; a level is a
number of tokens of one tile.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import numpy as np

NEWLINE = -1  # stands in `Tiling.cells` where the newline embedding does
UNPADS = ("tile", "as_released")


def level_grid(level: int, side: int) -> tuple[int, int]:
    """(rows, columns) of a `side x side` tile's tokens pooled to `level` of them.

    A square grid where there is one, else one with twice as many rows as columns: pairs are pooled
    along the width first. 24 x 24 is 24 x 12 at 288, 12 x 12 at 144, 12 x 6 at 72, 6 x 6 at 36.

    Raises:
        ValueError: no such grid divides the tile's; it names the levels that would do.
    """
    if level > 0:
        columns = isqrt(level)
        rows = columns
        if columns * rows != level:
            columns = isqrt(level // 2)
            rows = 2 * columns
        if columns * rows == level and side % columns == 0 and side % rows == 0:
            return rows, columns
    able = ", ".join(map(str, possible_levels(side)))
    raise ValueError(
        f"{level} is no level of a tile of {side} x {side} tokens; those that divide it: {able}"
    )


def possible_levels(side: int) -> tuple[int, ...]:
    """Every level that `level_grid` has a grid for, coarse to fine."""
    widths = [width for width in range(1, side + 1) if side % width == 0]
    pairs = [2 * width * width for width in widths if side % (2 * width) == 0]
    return tuple(sorted([width * width for width in widths] + pairs))


def standard_levels(side: int) -> tuple[int, ...]:
    """The five levels of AVG-LLaVA, coarse to fine: a sixteenth of the tokens up to all of them.

    Raises:
        ValueError: the side is no multiple of 4.
    """
    if side < 1 or side % 4:
        able = ", ".join(map(str, possible_levels(side)))
        raise ValueError(
            f"a tile of {side} x {side} tokens has no five levels: its side must be a multiple of "
            f"4; name levels that divide it instead (granularity.levels): {able}"
        )
    return tuple(side * side // pooled for pooled in (16, 8, 4, 2, 1))


@dataclass(frozen=True, slots=True)
class Tiling:
    """A picture of `width x height` pixels on `columns x rows` tiles, and one of the whole.

    The local tiles hold the picture with its own aspect, centered on a padded canvas; their tokens
    that hold padding alone are left out ("unpadding"), and each row that is kept ends in a newline.

    unpad:
        "tile": the kept rows and columns are found once, among the tokens of the finest level, and
        a pooled token is kept where it holds any of them. So a level changes how finely a part of
        the picture is read and never which part; a level that divides each token of another never
        takes fewer. At the finest level that is LLaVA-NeXT's rule, which leaves as many tokens away
        on both sides and may cut a token that is padding for the most part; a picture too flat for
        a whole token keeps the middle one (two where their number is even), in which it lies.
        "as_released": AVG-LLaVA compares the picture's aspect with that of the pooled grid, which
        is twice as high as it should be at half and an eighth of the tokens: real rows are lost
        there, and very flat pictures keep none. The released weights were trained so.
    """

    columns: int
    rows: int
    width: int
    height: int
    side: int
    unpad: str = "tile"

    def __post_init__(self) -> None:
        for name in ("columns", "rows", "width", "height", "side"):
            if getattr(self, name) < 1:
                raise ValueError(f"a tiling's {name}={getattr(self, name)} must be positive")
        if self.unpad not in UNPADS:
            raise ValueError(f"unpad={self.unpad!r} is none of {', '.join(UNPADS)}")

    @property
    def num_tiles(self) -> int:
        """The global tile, then the local ones row by row."""
        return 1 + self.columns * self.rows

    def count(self, level: int) -> int:
        """Positions that the whole picture takes, newlines included.

        Raises:
            ValueError: the level does not divide a tile, here and in what follows.
        """
        rows, columns = self.kept(level)
        return level + len(rows) * (len(columns) + 1)

    def kept(self, level: int) -> tuple[range, range]:
        """Rows and columns of the local tiles' joint grid that are shown at a level."""
        high, wide = level_grid(level, self.side)  # of one tile
        if self.unpad == "as_released":
            return _unpadded(self.rows * high, self.columns * wide, self.width, self.height)
        fine = (self.rows * self.side, self.columns * self.side)
        rows, columns = _unpadded(*fine, self.width, self.height, least=1)
        return _covering(rows, self.side // high), _covering(columns, self.side // wide)

    def cells(self, level: int) -> np.ndarray:
        """(count,) int64 in reading order: `tile * level + token` of each position, or `NEWLINE`.

        The global tile's tokens, then each kept row of the local tiles, closed by a newline.
        """
        high, wide = level_grid(level, self.side)
        rows, columns = (np.arange(kept.start, kept.stop) for kept in self.kept(level))
        tiles = 1 + rows[:, None] // high * self.columns + columns // wide
        tokens = rows[:, None] % high * wide + columns % wide
        local = np.full((len(rows), len(columns) + 1), NEWLINE, np.int64)
        local[:, :-1] = tiles * level + tokens
        return np.concatenate([np.arange(level, dtype=np.int64), local.reshape(-1)])


def _unpadded(
    rows: int, columns: int, width: int, height: int, least: int = 0
) -> tuple[range, range]:
    """What the picture takes of a `rows x columns` grid it is centered in (LLaVA-NeXT's rule).

    The divisions stand in the order of the original: another one rounds other pictures away.
    """
    if width / height > columns / rows:
        kept = int(height * (columns / width))
        return _middle(rows, kept, least), range(columns)
    kept = int(width * (rows / height))
    return range(rows), _middle(columns, kept, least)


def _middle(size: int, kept: int, least: int) -> range:
    padding = (size - kept) // 2
    if least:
        padding = min(padding, (size - least) // 2)
    return range(padding, size - padding)


def _covering(fine: range, pooled: int) -> range:
    """The cells of `pooled` places each that hold any of `fine`."""
    return range(fine.start // pooled, -(-fine.stop // pooled))
