"""Rows that show a conversation's pictures at several levels: what training at levels reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from seal.batch import IGNORE_INDEX, VISUAL_TOKEN, Routed, Row, Visual


def at_level(visual: Visual, level: int) -> Visual:
    """The picture shown by `level` tokens of each of its tiles."""
    length = level if visual.tiling is None else visual.tiling.count(level)
    return replace(visual, level=level, length=length)


def shown_at(row: Row, levels: Sequence[int]) -> Row:
    """The row with its pictures at `levels`, one each; the words stay as they are.

    Raises:
        ValueError: some of its positions are not attended: where they go is not known.
    """
    if row.attention_mask is not None:
        raise ValueError("a row with positions that are not attended cannot be shown at levels")
    visuals = tuple(map(at_level, row.visuals, levels))
    ids, labels = [], []
    rest_ids, rest_labels = row.input_ids, row.labels
    for old, new in zip(row.visuals, visuals, strict=True):
        begin = int((rest_ids == VISUAL_TOKEN).nonzero()[0])
        ids += [rest_ids[:begin], torch.full((new.length,), VISUAL_TOKEN)]
        labels += [rest_labels[:begin], torch.full((new.length,), IGNORE_INDEX)]
        rest_ids = rest_ids[begin + old.length :]
        rest_labels = rest_labels[begin + old.length :]
    return replace(
        row,
        input_ids=torch.cat([*ids, rest_ids]),
        labels=torch.cat([*labels, rest_labels]),
        visuals=visuals,
    )


def level_rows(row: Row, levels: Sequence[int], rng: np.random.Generator) -> tuple[Row, ...]:
    """One row a level of the first picture; further pictures have each level once, in any order.

    So a model that is trained on them can read any mixture of levels. A row without a picture is
    the same at each of them, and is made once.
    """
    if not row.visuals:
        return (row,)
    orders = [np.arange(len(levels))]
    orders += [rng.permutation(len(levels)) for _ in row.visuals[1:]]
    return tuple(
        replace(shown_at(row, [levels[order[number]] for order in orders]), level=level)
        for number, level in enumerate(levels)
    )


def feedback_rows(row: Row, levels: Sequence[int]) -> tuple[tuple[Row, ...], tuple[Routed, ...]]:
    """Rows by which each picture's levels are compared, and which of them are a picture's.

    Each picture is shown at every level while the others are at the finest. The row that shows all
    of them at the finest is made once.
    """
    finest = [levels[-1]] * len(row.visuals)
    rows = [shown_at(row, finest)]
    routed = []
    for number, visual in enumerate(row.visuals):
        own = []
        for level in levels[:-1]:
            own.append(len(rows))
            rows.append(shown_at(row, [*finest[:number], level, *finest[number + 1 :]]))
        routed.append(Routed(visual, row.text_ids, (*own, 0)))
    return tuple(rows), tuple(routed)
