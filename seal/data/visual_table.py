"""The one table of a batch's visual embeddings: what is in it, and which of it stands where.

Images of the linear projector at each level in use, those of the resampler, the newline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from seal.batch import VISUAL_TOKEN, Routes, Sample, Visual
from seal.data.keys import key_of
from seal.data.layout import Ints, Layout, joined
from seal.tiling import NEWLINE


def visual_table(samples: Sequence[Sample], layout: Layout) -> dict[str, object]:
    """Distinct images, through which projector each goes, and where each of its tokens stands."""
    shown = _Shown()
    runs: list[tuple[bool, int, Ints, Ints]] = []  # long, level, index at its offset, positions
    numbered = iter(range(len(layout.where)))
    for sample in samples:
        for row in sample.rows:
            index = next(numbered)
            where, own = layout.where[index], layout.own(index)
            at = np.flatnonzero(row.input_ids.numpy() == VISUAL_TOKEN)
            begin = 0
            for visual in row.visuals:
                length = visual.length or len(at) // len(row.visuals)
                tiles = np.array(shown.tiles(sample, visual))
                level = shown.level(sample, visual, length)
                if visual.long:
                    shown.levels.add(level)
                if begin == len(at) or at[begin] >= own:  # else the trunk shows it already
                    positions = where[at[begin : begin + length]]
                    cells = np.arange(level)
                    if visual.tiling is not None:
                        cells = visual.tiling.cells(level)
                    if len(cells) != length:
                        raise ValueError(
                            f"sample {sample.id}: a picture takes {length} positions, but is "
                            f"{len(cells)} tokens at the level {level}"
                        )
                    cells, new = cells[: len(positions)], cells[: len(positions)] == NEWLINE
                    kept = cells[~new]
                    table = tiles[kept // level] * level + kept % level
                    runs.append((visual.long, level, table, positions[~new]))
                    if new.any():
                        ends = positions[new]
                        runs.append((True, _NEWLINE_LEVEL, np.zeros(len(ends), np.int64), ends))
                begin += length
            if begin != len(at):
                raise ValueError(
                    f"sample {sample.id}: {len(at)} visual placeholders in a row, but its "
                    f"{len(row.visuals)} pictures take {begin}"
                )
    routes = _routes(samples, shown)
    offsets = shown.offsets()
    pictures = shown.pictures
    return {
        "pixel_values": torch.stack(pictures) if pictures else torch.zeros((0, 3, 0, 0)),
        "long_images": torch.tensor(list(shown.long), dtype=torch.int64),
        "short_images": torch.tensor(list(shown.short), dtype=torch.int64),
        "visual_positions": joined([positions for *_, positions in runs]),
        "visual_sources": joined([offsets[long, level] + at for long, level, at, _ in runs]),
        "long_levels": tuple(sorted(shown.levels, reverse=True)),
        "short_length": shown.short_length,
        "routes": routes,
    }


def _routes(samples: Sequence[Sample], shown: _Shown) -> Routes | None:
    """What a router is asked about the pictures of its training."""
    tiles, texts, keys, rows, tokens = [], [], [], [], []
    before = 0
    for sample in samples:
        for number, routed in enumerate(sample.routed):
            tiles.append(shown.tiles(sample, routed.visual))
            texts.append(routed.text_ids)
            keys.append(key_of(f"{sample.id}/picture {number}"))
            rows.append([before + row for row in routed.rows])
            tokens.append([sample.rows[row].visuals[number].length for row in routed.rows])
        before += len(sample.rows)
    return Routes.of(tiles, texts, keys=keys, rows=rows, tokens=tokens) if tiles else None


@dataclass(slots=True)
class _Shown:
    """The distinct images of a batch, and through which projector and at which level each goes."""

    pictures: list[Tensor] = field(default_factory=list)
    place: dict[int, int] = field(default_factory=dict)  # identity of a picture -> in the batch
    long: dict[int, int] = field(default_factory=dict)  # image -> its place among the long ones
    short: dict[int, int] = field(default_factory=dict)
    levels: set[int] = field(default_factory=set)  # of the long ones
    whole: dict[bool, int] = field(default_factory=dict)  # of pictures without a level

    def tiles(self, sample: Sample, visual: Visual) -> list[int]:
        """Places of a picture's tiles among the images of its projector; new ones are added."""
        places = []
        for picture in sample.images[visual.image : visual.image + visual.num_tiles]:
            image = self.place.setdefault(id(picture), len(self.pictures))
            if image == len(self.pictures):
                self.pictures.append(picture)
            own = self.long if visual.long else self.short
            places.append(own.setdefault(image, len(own)))
        return places

    def level(self, sample: Sample, visual: Visual, length: int) -> int:
        """Tokens of each tile of a picture that takes `length` positions."""
        if not visual.level and self.whole.setdefault(visual.long, length) != length:
            raise ValueError(
                f"sample {sample.id}: a picture takes {length} positions where another "
                f"takes {self.whole[visual.long]} through the same projector"
            )
        return visual.level or length

    def offsets(self) -> dict[tuple[bool, int], int]:
        """Where the table of all visual embeddings has those of (long, level); last the newline."""
        offsets, end = {}, 0
        for level in sorted(self.levels, reverse=True):
            offsets[True, level] = end
            end += level * len(self.long)
        offsets[False, self.short_length] = end
        offsets[True, _NEWLINE_LEVEL] = end + self.short_length * len(self.short)
        return offsets

    @property
    def short_length(self) -> int:
        return self.whole.get(False, 0)


_NEWLINE_LEVEL = 0  # stands for it among the levels
