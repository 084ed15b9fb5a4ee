"""Labels of questions that are answered in words, however a file lists them."""

from __future__ import annotations

from typing import Any

from seal.evaluation.tasks.entries import Entry


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
