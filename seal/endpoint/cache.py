"""Answers of models on disk, so that work that was stopped pays for none twice."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Any

_TABLE = """
create table if not exists answers (
    key text not null,      -- see content_key
    attempt integer not null,  -- 0, and one more for every answer that was of no use
    model text not null,    -- for people who look into the file; part of the key
    answer text not null,
    primary key (key, attempt)
) without rowid
"""


def content_key(content: Any) -> str:
    """What an answer goes by: whatever it depends on, as JSON."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class AnswerCache:
    """An SQLite file, open within a `with` block.

    Each answer is on disk before `put` returns. Several processes may use one file, and one that
    is killed leaves it whole (write-ahead log).
    """

    def __init__(self, path: Path | str, *, option: str = "language.cache") -> None:
        """`option`: names the file, for errors."""
        self.path = Path(path)
        self.option = option
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> AnswerCache:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = sqlite3.connect(self.path, timeout=60, isolation_level=None)
            self._connection.execute("pragma journal_mode=wal")
            self._connection.execute("pragma synchronous=normal")
            self._connection.execute(_TABLE)
        except sqlite3.Error as error:
            self.__exit__(None, None, None)
            raise self._broken(error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def get(self, key: str, attempt: int = 0) -> str | None:
        """The answer that was given; None: it was never asked for."""
        query = "select answer from answers where key = ? and attempt = ?"
        try:
            row = self._open().execute(query, (key, attempt)).fetchone()
        except sqlite3.Error as error:
            raise self._broken(error) from error
        return None if row is None else str(row[0])

    def put(self, key: str, attempt: int, model: str, answer: str) -> str:
        """Keep an answer and return the kept one: another process may have been first."""
        insert = "insert or ignore into answers values (?, ?, ?, ?)"
        text = answer.encode("utf-8", "replace").decode()  # a lone surrogate has no UTF-8
        try:
            self._open().execute(insert, (key, attempt, model, text))
        except sqlite3.Error as error:
            raise self._broken(error) from error
        kept = self.get(key, attempt)
        assert kept is not None
        return kept

    def _open(self) -> sqlite3.Connection:
        assert self._connection is not None, "the cache is open within `with` alone"
        return self._connection

    def _broken(self, error: sqlite3.Error) -> ValueError:
        return ValueError(
            f"{self.path}: the cache of answers cannot be used: {error}; "
            f"move the file away or name another with {self.option}="
        )
