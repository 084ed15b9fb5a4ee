"""Rows that show a conversation's pictures at several levels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from seal.batch import IGNORE_INDEX, VISUAL_TOKEN, Row, Sample, Visual
from seal.data.collate import collate
from seal.data.levels import at_level, feedback_rows, level_rows, shown_at
from seal.tiling import Tiling

LEVELS = (1, 2, 4, 8, 16)
WORDS = [1, 7, 8, 9, 5, 6]


def row(*visuals: Visual) -> Row:
    """BOS, then each picture and a word, then two words that are learnt."""
    ids, shown = [1], []
    for number, visual in enumerate(visuals):
        shown.append(at_level(visual, LEVELS[-1]))
        ids += [VISUAL_TOKEN] * shown[-1].length + [7 + number]
    labels = [IGNORE_INDEX] * len(ids) + [5, 6]
    return Row(torch.tensor([*ids, 5, 6]), torch.tensor(labels), tuple(shown))


def words(of: Row) -> list[tuple[int, int]]:
    keep = of.input_ids != VISUAL_TOKEN
    return list(zip(of.input_ids[keep].tolist(), of.labels[keep].tolist(), strict=True))


def test_a_row_at_levels_keeps_its_words_and_labels_and_takes_as_many_positions_as_it_shows():
    tiling = Tiling(2, 1, 30, 20, 4)
    whole = row(Visual(0, True, tiling=tiling), Visual(3, True))
    for levels in ((16, 1), (2, 16), (8, 8)):
        other = shown_at(whole, levels)
        assert words(other) == words(whole)
        counts = (tiling.count(levels[0]), levels[1])
        assert tuple(visual.length for visual in other.visuals) == counts
        assert int((other.input_ids == VISUAL_TOKEN).sum()) == sum(counts)
        assert torch.equal(shown_at(other, (16, 16)).input_ids, whole.input_ids)


def test_each_picture_has_each_level_once_and_the_first_goes_from_coarse_to_fine():
    rows = level_rows(
        row(Visual(0, True), Visual(1, True), Visual(2, True)), LEVELS, np.random.default_rng(3)
    )
    shown = [[visual.level for visual in own.visuals] for own in rows]
    assert [first for first, *_ in shown] == list(LEVELS)
    for picture in zip(*shown, strict=True):
        assert sorted(picture) == list(LEVELS)
    assert len({levels[1] / levels[0] for levels in shown}) > 1  # not all at one level together


def test_a_row_without_a_picture_is_made_once_and_is_of_every_level():
    (only,) = level_rows(row(), LEVELS, np.random.default_rng(0))
    assert words(only) == words(row()) and only.level == 0


def test_feedback_varies_one_picture_while_the_others_are_finest_and_makes_no_row_twice():
    rows, routed = feedback_rows(row(Visual(0, True), Visual(1, True)), LEVELS)
    shown = [tuple(visual.level for visual in own.visuals) for own in rows]
    assert len(set(shown)) == len(shown) == 2 * (len(LEVELS) - 1) + 1
    for number, picture in enumerate(routed):
        assert picture.text_ids.tolist() == [1, 7, 8]  # no answer, no placeholder
        levels = [shown[at] for at in picture.rows]
        assert [own[number] for own in levels] == list(LEVELS)
        assert {own[1 - number] for own in levels} == {LEVELS[-1]}


def test_a_batch_knows_the_rows_tiles_and_words_of_each_routed_picture():
    tiling = Tiling(2, 1, 30, 20, 4)
    rows, routed = feedback_rows(row(Visual(0, True, tiling=tiling)), LEVELS)
    images = tuple(torch.full((3, 2, 2), float(n)) for n in range(4))
    other, other_routed = feedback_rows(row(Visual(0, True)), LEVELS)
    samples = [
        Sample("a", rows, images[:3], routed=routed),
        Sample("b", other, images[3:], routed=other_routed),
    ]
    batch = collate(samples, pad_id=0)
    routes = batch.routes
    assert routes is not None and routes.counts == (3, 1)
    shown = batch.pixel_values[batch.long_images[routes.tiles]][:, 0, 0, 0]
    assert shown.tolist() == [0, 1, 2, 3]
    # Of each sample the row that shows everything comes first.
    assert routes.rows.tolist() == [[1, 2, 3, 4, 0], [6, 7, 8, 9, 5]]
    assert routes.text_ids.tolist() == [[1, 7], [1, 7]]
    alone = collate(samples[1:], pad_id=0).routes
    assert alone is not None and alone.keys == routes.keys[1:]  # what dropout is drawn from


@pytest.mark.parametrize("pack", [False, True])
def test_each_position_is_filled_from_its_level_of_its_tile(pack):
    """Against the plain reading: global tile, then rows of local tiles, each with a newline."""
    tiling = Tiling(2, 1, 30, 20, 4)
    whole = row(Visual(0, True, tiling=tiling), Visual(3, True))
    sample = Sample("a", level_rows(whole, LEVELS, np.random.default_rng(1)),
                    tuple(torch.full((3, 2, 2), float(n)) for n in range(4)))  # fmt: skip
    batch = collate([sample], pad_id=0, pack=pack)
    assert batch.long_levels == LEVELS[::-1] and batch.short_length == 0
    table: list[tuple[int, int, int]] = [
        (level, tile, token) for level in batch.long_levels for tile in range(4)
        for token in range(level)
    ]  # fmt: skip
    newline = len(table)
    expected = []
    for own in sample.rows:
        for visual in own.visuals:
            cells = range(visual.level)
            if visual.tiling is not None:
                cells = visual.tiling.cells(visual.level)
            for cell in cells:
                tile, token = divmod(int(cell), visual.level)
                at = (
                    newline if cell < 0 else table.index((visual.level, visual.image + tile, token))
                )
                expected.append(at)
    by_place = sorted(zip(batch.visual_positions.tolist(), batch.visual_sources.tolist(),
                          strict=True))  # fmt: skip
    assert [source for _, source in by_place] == expected
