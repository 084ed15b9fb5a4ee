"""Labels of questions in words, and options with the right one's place, however files list them."""

from __future__ import annotations

from typing import Any

from seal.evaluation.tasks.entries import Entry
from seal.text.letters import LETTERS


def labels_in(entry: Entry, key: str) -> tuple[str, ...]:
    """A list of texts; annotators may have left one empty, not all.

    Raises:
        ValueError: no such list. Test sets keep their labels to themselves.
    """
    value = entry.content.get(key)
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise entry.wrong(key, value, "a list of texts, the labels (test sets have none)")
    if not any(one.strip() for one in value):
        raise entry.wrong(key, value, "a label (test sets have none)")
    return tuple(value)


def annotators_in(entry: Entry, key: str) -> tuple[str, ...]:
    """What every annotator answered, from VQA's lists of {"answer", "answer_confidence", ...}.

    Raises:
        ValueError: another list.
    """
    value: Any = entry.content.get(key)
    plain = isinstance(value, list) and all(
        isinstance(one, dict) and isinstance(one.get("answer"), str) for one in value
    )
    if not plain or not value:
        raise entry.wrong(key, value, 'a list of {"answer": text} (test sets have none)')
    # As vqaEval.py does before it compares.
    return tuple(" ".join(one["answer"].split()) for one in value)


def listed_options(entry: Entry, key: str) -> tuple[str, ...]:
    """Two or more texts, of which two may read alike: the official file is as it is, and a letter
    tells them apart.

    Raises:
        ValueError: no such list, or one that there are not enough letters for.
    """
    options = entry.texts(key)
    if not 2 <= len(options) <= len(LETTERS):
        raise entry.wrong(key, options, f"2 to {len(LETTERS)} options")
    return tuple(options)


def right_place(entry: Entry, key: str, count: int) -> int:
    """The number of the right one of `count` options, from 0; written as a number or as a text."""
    value: Any = entry.content.get(key)
    told = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not (told.isascii() and told.isdecimal() and int(told) < count):
        raise entry.wrong(key, value, f"the place of an option, 0 to {count - 1}")
    return int(told)
