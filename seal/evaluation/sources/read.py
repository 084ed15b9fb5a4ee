"""Read the rows of a file or folder of any kind that a benchmark comes in."""

from __future__ import annotations

from pathlib import Path

from seal.evaluation.sources.arrow_rows import read_parquet
from seal.evaluation.sources.delimited import is_delimited, read_delimited
from seal.evaluation.sources.json_rows import read_json_lines, read_json_list
from seal.evaluation.sources.rows import Rows
from seal.evaluation.sources.workbook import read_workbook

KINDS = ".tsv, .csv, .xlsx, .json, .jsonl or .parquet"


def read_rows(
    path: Path, *, under: str | None = None, config: str | None = None, split: str | None = None
) -> Rows:
    """The rows of a table, a JSON list, JSON lines, a parquet file, or a folder of parquet files.

    under: the key of the list in a JSON file that holds an object.
    config, split: which of a folder's parquet files; see `read_parquet`.

    Raises:
        ValueError: no such file, a kind that is not known, or what its reader refuses.
    """
    if path.is_dir():
        return read_parquet(path, config=config, split=split)
    if not path.is_file():
        raise ValueError(
            f"{path} does not exist: expected a file, {KINDS}, or a folder of .parquet"
        )
    suffix = path.suffix.lower()
    if is_delimited(path):
        return read_delimited(path)
    if suffix == ".xlsx":
        return read_workbook(path)
    if suffix == ".json":
        return read_json_list(path, under)
    if suffix == ".jsonl":
        return read_json_lines(path)
    if suffix == ".parquet":
        return read_parquet(path)
    raise ValueError(f"{path} is called {suffix or 'without a suffix'}: expected {KINDS}")
