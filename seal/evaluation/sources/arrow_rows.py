"""Rows of Arrow tables, from parquet files or from the hub, read cell by cell."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seal.evaluation.sources.rows import LazyRow, Row, Rows
from seal.files.plain_text import opened

if TYPE_CHECKING:
    import pyarrow as pa

_SHARD = re.compile(r"(?P<split>.+?)-\d{5}-of-\d{5}(?:-[0-9a-f]+)?")
_HEAVY = 2048  # bytes a row, on average, from which on a column is not kept in memory
_AT_ONCE = 8  # rows of such a column
_KEPT = 2  # of as many: what is read for its digest is read again to be shown, batch by batch


class ArrowRows(Rows):
    """Rows of a table. `cell(column, index)` gives a value as Arrow has it."""

    def __init__(
        self,
        name: str,
        columns: Sequence[str],
        length: int,
        cell: Callable[[str, int], Any],
        *,
        labels: dict[str, list[str]] | None = None,
    ) -> None:
        """labels: names of the classes of columns that hold their numbers."""
        self.name = name
        self.columns = tuple(columns)
        self._length = length
        self._cell = cell
        self._labels = labels or {}

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Row:
        if not 0 <= index < self._length:
            raise IndexError(index)
        return LazyRow(self.columns, lambda column: self._value(column, index))

    def where(self, index: int) -> str:
        return f"{self.name}: row {index + 1}"

    def _value(self, column: str, index: int) -> Any:
        value = self._cell(column, index)
        names = self._labels.get(column)
        return names[value] if names is not None and value is not None and value >= 0 else value


def read_parquet(path: Path, *, config: str | None = None, split: str | None = None) -> ArrowRows:
    """The rows of a parquet file, or of a folder of them such as a copy of a hub's repository.

    Files are taken in the order of their names. Those of several splits, or configurations, are
    told apart by their names, `SPLIT-00000-of-00002.parquet` in a folder of the configuration.

    config, split: take these where a folder has several; needless where it has one.

    Raises:
        ValueError: no such files, no parquet, files with different columns, or several splits and
            none named. Names the file or the choices.
    """
    import pyarrow.parquet as pq
    from pyarrow.lib import ArrowException

    files = [path] if path.is_file() else _files_of_split(path, config, split)
    shards = []
    for file in files:
        with opened(file):  # what is no such file at all is called what it is
            pass
        try:
            shards.append(_Shard(pq.ParquetFile(file, memory_map=True)))
        except (ArrowException, OSError) as error:
            raise ValueError(f"{file} is no parquet file: {str(error).splitlines()[0]}") from error
        if shards[-1].columns != shards[0].columns:
            raise ValueError(
                f"{file} has the columns {', '.join(shards[-1].columns)}, but {files[0].name} has "
                f"{', '.join(shards[0].columns)}"
            )
    length = sum(shard.length for shard in shards)
    if not length:
        raise ValueError(f"{path} has no rows")
    starts = [sum(shard.length for shard in shards[:at]) for at in range(len(shards))]

    def cell(column: str, index: int) -> Any:
        at = max(at for at, start in enumerate(starts) if start <= index)
        return shards[at].cell(column, index - starts[at])

    return ArrowRows(str(path), shards[0].columns, length, cell)


class _Shard:
    """One file. Light columns are read once and kept; heavy ones are passed over in order.

    A file may be one group of rows of gigabytes: of a heavy column memory holds a page of the file
    and a few rows. Going back further than these begins anew.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self.columns = tuple(file.schema_arrow.names)
        self.length: int = file.metadata.num_rows
        self._light: dict[str, pa.ChunkedArray] = {}
        self._reading: _Reading | None = None
        sizes = [file.metadata.row_group(g).num_rows for g in range(file.metadata.num_row_groups)]
        self._starts = [sum(sizes[:at]) for at in range(len(sizes))]

    def cell(self, column: str, index: int) -> Any:
        if column in self._light or not self._is_heavy(column):
            if column not in self._light:
                self._light[column] = self._file.read(columns=[column]).column(0)
            return self._light[column][index].as_py()
        group = max(at for at, start in enumerate(self._starts) if start <= index)
        row = index - self._starts[group]
        at = self._reading
        if at is None or (at.column, at.group) != (column, group) or row < at.start:
            batches = self._file.iter_batches(_AT_ONCE, row_groups=[group], columns=[column])
            at = self._reading = _Reading(column, group, batches)
        return at.cell(row)

    def _is_heavy(self, column: str) -> bool:
        metadata = self._file.metadata
        total = 0
        for g in range(metadata.num_row_groups):
            group = metadata.row_group(g)
            for c in range(group.num_columns):
                chunk = group.column(c)
                if chunk.path_in_schema.split(".")[0] == column:
                    total += chunk.total_uncompressed_size
        return total > _HEAVY * self.length


class _Reading:
    """A pass over a column of a group of rows, a few rows at a time."""

    def __init__(self, column: str, group: int, batches: Iterator[pa.RecordBatch]) -> None:
        self.column, self.group = column, group
        self._batches = batches
        self._kept: deque[tuple[int, pa.Array]] = deque(maxlen=_KEPT)  # first row, rows
        self._end = 0  # of what was read

    @property
    def start(self) -> int:
        """The first row that is in memory."""
        return self._kept[0][0] if self._kept else 0

    def cell(self, row: int) -> Any:
        while row >= self._end:
            batch = next(self._batches).column(0)
            self._kept.append((self._end, batch))
            self._end += len(batch)
        first, batch = next(kept for kept in reversed(self._kept) if kept[0] <= row)
        return batch[row - first].as_py()


def _files_of_split(folder: Path, config: str | None, split: str | None) -> list[Path]:
    """The parquet files of one split below a folder."""
    groups: dict[tuple[str, str], list[Path]] = {}
    for file in sorted(folder.rglob("*.parquet")) if folder.is_dir() else ():
        if file.name.startswith("._"):  # macOS leaves such beside what it copies
            continue
        shard = _SHARD.fullmatch(file.stem)
        parent = file.parent.relative_to(folder).as_posix()
        groups.setdefault((parent, shard["split"] if shard else file.stem), []).append(file)
    if not groups:
        raise ValueError(f"{folder} has no parquet files")
    chosen = groups
    if len(chosen) > 1 and split is not None:
        chosen = {key: files for key, files in chosen.items() if key[1] == split}
    if len(chosen) > 1 and config is not None:
        chosen = {key: files for key, files in chosen.items() if config in key[0].split("/")}
    if len(chosen) != 1:
        there = ", ".join(f"{parent}/{name}".removeprefix("./") for parent, name in groups)
        wanted = "/".join(part for part in (config, split) if part) or "one of them"
        raise ValueError(f"{folder} has {there}: expected {wanted}; name the file or its folder")
    return next(iter(chosen.values()))
