"""Where each token of each conversation stands in a batch: padded rows, or one packed row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seal.batch import IGNORE_INDEX, VISUAL_TOKEN, Document, Row, Sample

# A packed row ends at a multiple of this: matrix units like even sizes.
MULTIPLE = 8

Ints = NDArray[np.int64]


@dataclass(slots=True)
class Layout:
    """A place in the flattened (rows, length) for every token."""

    rows: int
    length: int
    where: list[Ints]  # of each conversation, the place of each of its tokens
    trunk: list[int]  # how many tokens at its beginning it shares with others
    first: list[bool]  # whether it is the one that writes them
    branch: list[int]  # what tells the rest from other branches of its tree; 0: no tree
    documents: tuple[Document, ...] = ()

    def own(self, index: int) -> int:
        """The first token of a conversation that it writes itself."""
        return 0 if self.first[index] else self.trunk[index]


def padded(rows: Sequence[Row], side: str) -> Layout:
    """A row each, filled up on the `right` or `left` to the longest."""
    lengths = [len(row.input_ids) for row in rows]
    length = max(lengths)
    where = [
        number * length + (length - count if side == "left" else 0) + np.arange(count)
        for number, count in enumerate(lengths)
    ]
    none = [0] * len(rows)
    return Layout(len(rows), length, where, none, [True] * len(rows), none)


def packed(samples: Sequence[Sample]) -> Layout:
    """One row for all; the conversations of a sample share the trunk of `trunk_length`.

    Raises:
        ValueError: a position is not attended.
    """
    where: list[Ints] = []
    trunks: list[int] = []
    first: list[bool] = []
    branch: list[int] = []
    documents: list[Document] = []
    end = 0
    for sample in samples:
        if any(row.attention_mask is not None for row in sample.rows):
            raise ValueError(
                f"sample {sample.id}: a row that attends to some of its positions cannot be "
                "packed; set train.batching=padded"
            )
        trunk = trunk_length(sample.rows)
        begin = end
        limbs = []
        for number, row in enumerate(sample.rows):
            count = len(row.input_ids)
            shared = trunk if number else 0
            at = np.arange(end - shared, end - shared + count)
            at[:shared] = begin + np.arange(shared)
            where.append(at)
            trunks.append(trunk)
            first.append(number == 0)
            branch.append(number + 1 if trunk else 0)
            end += count - shared
            limbs.append(count - trunk)
            if not trunk:
                documents.append(Document(count))
        if trunk and same_pictures(sample.rows):
            documents.append(Document(end - begin, branched=True))
        elif trunk:  # long branches: a mask over all of them would cost more than it saves
            documents.append(Document(end - begin, limbs=tuple(limbs)))
    length = -(-end // MULTIPLE) * MULTIPLE
    return Layout(1, length, where, trunks, first, branch, tuple(documents))


def same_pictures(rows: Sequence[Row]) -> bool:
    """Whether all rows show the same pictures in the same way."""
    return all(row.visuals == rows[0].visuals for row in rows)


def trunk_length(rows: Sequence[Row]) -> int:
    """Tokens at the beginning that several rows share; 0: no tree.

    Up to the end of the last picture where they show the same ones, else up to the first picture.
    Nothing of the trunk may be learnt: a label would be counted once for all.
    """
    if len(rows) < 2:
        return 0
    ids = [row.input_ids.numpy() for row in rows]
    visual = np.flatnonzero(ids[0] == VISUAL_TOKEN)
    if not len(visual) or any(len(row.visuals) != len(rows[0].visuals) for row in rows):
        return 0
    length = int(visual[-1]) + 1 if same_pictures(rows) else int(visual[0])
    same = all(len(own) > length and np.array_equal(own[:length], ids[0][:length]) for own in ids)
    learnt = any(bool((row.labels[:length] != IGNORE_INDEX).any()) for row in rows)
    return length if same and not learnt else 0


def joined(parts: Sequence[Ints]) -> Tensor:
    """(n,) int64 of all parts, one behind the other."""
    return torch.from_numpy(np.concatenate([*parts, np.zeros(0, np.int64)]))
