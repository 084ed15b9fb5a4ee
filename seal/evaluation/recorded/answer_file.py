"""Open a file of answers, whatever it is: its rows, each with its place for messages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seal.evaluation.sources.delimited import read_delimited
from seal.evaluation.sources.workbook import read_workbook
from seal.evaluation.store import numbered_lines
from seal.files.plain_text import read_text
from seal.text.quote import quoted

# What an older lmms-eval wraps its samples in: {"args": ..., "logs": [...]}.
_WRAPPED = "logs"
_NAME = 1000  # characters of an `image` cell that may still be a name


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """One row: `where` it stands, what it holds by column or key."""

    where: str
    content: dict[str, Any]


def answer_rows(path: Path) -> list[AnswerRow]:
    """The rows of JSONL, JSON (a list, or one object by id), TSV, CSV or xlsx.

    An object by id becomes rows of `id` and `text`, or `id` and what each entry holds.

    Raises:
        ValueError: there are none, or the file is not what its suffix says.
    """
    if not path.is_file():
        told = "is a folder; name a file in it" if path.is_dir() else "does not exist"
        raise ValueError(f"{path} {told}: answers= names a run folder or a file of answers")
    suffix = path.suffix.lower()
    if suffix == ".json":
        rows = list(_json_rows(path))
    elif suffix in (".tsv", ".csv", ".xlsx"):
        rows = list(_table_rows(path))
    else:
        rows = list(_lines(path))
    if not rows:
        raise ValueError(f"{path} holds no answers")
    return rows


def _lines(path: Path) -> Iterator[AnswerRow]:
    for number, line in numbered_lines(path):
        where = f"{path}:{number}"
        try:
            content = json.loads(line, object_pairs_hook=_object)
        except json.JSONDecodeError as error:
            raise ValueError(f"{where} is not JSON: {error}") from error
        except (ValueError, RecursionError) as error:  # the latter: lists too deep in each other
            raise ValueError(f"{where}: {error}") from error
        if not isinstance(content, dict):
            raise ValueError(f"{where}: expected an object {{...}}, got {quoted(content)}")
        yield AnswerRow(where, content)


def _table_rows(path: Path) -> Iterator[AnswerRow]:
    """A picture in its cell is left where it is; its name is not."""
    rows = read_workbook(path) if path.suffix.lower() == ".xlsx" else read_delimited(path)
    for number, row in enumerate(rows):
        large = {c for c in row if c == "image" and rows.size(number, c) > _NAME}
        yield AnswerRow(rows.where(number), {c: row[c] for c in row if c not in large})


def _json_rows(path: Path) -> Iterator[AnswerRow]:
    text = read_text(path)
    try:
        content = json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":  # JSON lines under this suffix, as POPE's own files are
            yield from _lines(path)
            return
        raise ValueError(f"{path} is not JSON: {error}; is the file complete?") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from error
    if isinstance(content, dict) and isinstance(content.get(_WRAPPED), list):
        content = content[_WRAPPED]
    if isinstance(content, dict):
        for name, value in content.items():
            where = f"{path}: {quoted(name)}"
            if not isinstance(value, dict):
                value = {"text": value}
            if str(value.get("id", name)) != name:
                raise ValueError(f"{where} calls itself {quoted(value['id'])}")
            yield AnswerRow(where, {**value, "id": name})
        return
    if not isinstance(content, list):
        raise ValueError(f"{path}: expected a list or an object, got {quoted(content)}")
    for number, entry in enumerate(content, start=1):
        if not isinstance(entry, dict):
            raise ValueError(f"{path}: entry {number} is {quoted(entry)}, not an object")
        yield AnswerRow(f"{path}: entry {number}", entry)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse one key with two values, of which JSON readers keep the last and say nothing."""
    made = dict(pairs)
    if len(made) < len(pairs):
        for key, value in pairs:
            if repr(made[key]) != repr(value):
                raise ValueError(
                    f"{quoted(key)} stands twice, as {quoted(value)} and as {quoted(made[key])}"
                )
    return made
