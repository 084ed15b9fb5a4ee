"""One row of a benchmark's table: its cells as texts, numbers, options and letters, or an error."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from seal.evaluation.sources.rows import Row, Rows
from seal.evaluation.tasks.entries import Entry
from seal.text.letters import LETTERS

# What an empty cell has become where a program wrote it out: pandas' NaN, as a number or as text.
_NOTHING = ("", "nan", "NaN")
_WHOLE = re.compile(r"-?\d{1,30}(?:\.0+)?")  # of more digits it is a mistake


class _OrNone(Mapping[str, Any]):
    """A cell that is not there is an empty one: entries of a list need not have the same keys."""

    def __init__(self, row: Row) -> None:
        self._row = row

    def __getitem__(self, key: str) -> Any:
        return self._row.get(key)

    def __contains__(self, key: object) -> bool:
        return key in self._row

    def __iter__(self) -> Iterator[str]:
        return iter(self._row)

    def __len__(self) -> int:
        return len(self._row)


class RowEntry(Entry):
    """A row, with getters that raise a ValueError saying what they found, where, and what is due.

    Tables do not tell 1 from "1", and workbooks turn one into the other: a number is as good as
    its text.
    """

    def __init__(self, rows: Rows, index: int) -> None:
        super().__init__(rows.where(index), _OrNone(rows[index]))

    def told(self, key: str) -> str | None:
        """The text of a cell, stripped; None: the cell is empty or there is no such column."""
        value = self.content.get(key)
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return None
        if isinstance(value, str):
            return None if value.strip() in _NOTHING else self._whole(key, value.strip())
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, float) and math.isfinite(value):
            return str(int(value)) if value.is_integer() else str(value)
        raise self.wrong(key, value, "a text or a number")

    def text(self, key: str) -> str:
        """The text of a cell that is not empty, stripped."""
        value = self.told(key)
        if value is None:
            raise self.wrong(key, self.content.get(key), "a text that is not empty")
        return value

    def number(self, key: str) -> int:
        """A whole number, however it is written."""
        told = self.told(key)
        if told is None or not _WHOLE.fullmatch(told):
            raise self.wrong(key, self.content.get(key), "a whole number")
        return int(told.partition(".")[0])

    def listed_options(self, keys: Sequence[str] = LETTERS) -> tuple[str, ...]:
        """The options under columns A, B, ...: two or more, none missing between them."""
        told = [self.told(key) for key in keys]
        while told and told[-1] is None:
            told.pop()
        options = [option for option in told if option is not None]
        if len(options) < len(told) or len(options) < 2:
            empty = keys[len(told) if None not in told else told.index(None)]
            wanted = "an option: a question has two or more, one after another"
            raise self.wrong(empty, self.content.get(empty), wanted)
        return tuple(options)

    def letter(self, key: str, count: int) -> int:
        """The number of the option that a letter names, from 0."""
        told = self.told(key) or ""
        letter = told.strip("() .").upper()
        place = LETTERS.find(letter) if len(letter) == 1 else -1
        if not 0 <= place < count:
            letters = f"A to {LETTERS[count - 1]}"
            raise self.wrong(key, self.content.get(key), f"the letter of an option, {letters}")
        return place

    def one_of(self, key: str, known: Sequence[str]) -> str:
        """A text that is one of a few."""
        value = self.text(key)
        if value not in known:
            raise self.wrong(key, value, f"one of {', '.join(known)}")
        return value


class Ids:
    """Refuses an id that occurs twice: answers are kept by it."""

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._seen

    def new(self, entry: Entry, key: str, name: Any) -> str:
        """The id as a text.

        Raises:
            ValueError: an earlier row has it; names both.
        """
        text = str(name)
        if text in self._seen:
            raise entry.wrong(key, text, f"an id of its own; {self._seen[text]} has it")
        self._seen[text] = str(entry.where)
        return text
