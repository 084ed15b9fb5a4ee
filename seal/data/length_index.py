"""How many positions each record takes: found once for a record set, and kept on disk.

To deal a step's samples by length, every process asks for the lengths of all of them. To tokenize
a record takes a third of a millisecond: too long for every step, two minutes for a whole mixture.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader
from tqdm import tqdm

from seal.files.whole import write_whole

_CHUNK = 512  # records that a worker measures at once
_FEW = 20_000  # records that are measured in this process: to start workers takes longer


class Measurable(Protocol):
    """A data set whose records can be measured."""

    index: LengthIndex | None

    def __len__(self) -> int: ...

    def pieces(self, index: int) -> Sequence[int]:
        """The numbers of positions that the record's length is made of."""
        ...


class LengthIndex:
    """The pieces of every record, as one array."""

    def __init__(self, pieces: NDArray[np.int32], ends: NDArray[np.int64]) -> None:
        """pieces: (m,) of all records; ends: (n,) where each record's end."""
        self.pieces = pieces
        self.ends = ends

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: int) -> list[int]:
        begin = int(self.ends[index - 1]) if index else 0
        found: list[int] = self.pieces[begin : int(self.ends[index])].tolist()
        return found

    @classmethod
    def measure(cls, data: Measurable, *, workers: int = 0, name: str = "") -> LengthIndex:
        """Of a whole data set.

        Args:
            workers: processes that do it; 0: this one.
            name: told beside the bar.

        Raises:
            ValueError: a record cannot become a sample; names it.
        """
        chunks: DataLoader[Any] = DataLoader(
            _Chunks(data),  # type: ignore[arg-type]  # it has a length and items
            batch_size=None,
            num_workers=workers if len(data) > _FEW else 0,
        )
        pieces: list[list[int]] = []
        with tqdm(
            total=len(data), desc=f"lengths of {name}", unit="record", file=sys.stderr,
            disable=len(data) <= _FEW, mininterval=0.5 if sys.stderr.isatty() else 10.0,
        ) as bar:  # fmt: skip
            for chunk in chunks:
                pieces += chunk
                bar.update(len(chunk))
        counts = np.array([len(own) for own in pieces], np.int64)
        return cls(np.array([n for own in pieces for n in own], np.int32), counts.cumsum())

    def write(self, path: Path, key: str) -> None:
        """To a file, whole or not at all. `key` tells of what it was made."""
        path.parent.mkdir(parents=True, exist_ok=True)
        content = io.BytesIO()
        np.savez(content, pieces=self.pieces, ends=self.ends, key=np.array(key))
        write_whole(path, content.getvalue())

    @classmethod
    def read(cls, path: Path, key: str) -> LengthIndex | None:
        """What `write` wrote; None: it is not there, not whole, or of something else."""
        try:
            with np.load(path, allow_pickle=False) as file:
                if str(file["key"]) != key:
                    return None
                pieces, ends = file["pieces"], file["ends"]
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):  # also if it is cut off
            return None
        if len(ends) and int(ends[-1]) != len(pieces):
            return None
        return cls(pieces, ends)


class _Chunks:
    """The pieces of `_CHUNK` records an item."""

    def __init__(self, data: Measurable) -> None:
        self.data = data

    def __len__(self) -> int:
        return -(-len(self.data) // _CHUNK)

    def __getitem__(self, number: int) -> list[list[int]]:
        return [list(self.data.pieces(index)) for index in self._items(number)]

    def _items(self, number: int) -> range:
        return range(number * _CHUNK, min((number + 1) * _CHUNK, len(self.data)))
