"""VLMEvalKit's result files: the benchmark's table with a column `prediction`.

`infer_data_job` of open-compass/VLMEvalKit (`vlmeval/inference.py`) writes MODEL_DATASET.xlsx, or
tsv or json: the columns of the benchmark's own TSV without the image, and the prediction; `index`
counts the rows from 0 where a benchmark has no other. Where the model could not be reached, the
prediction says so; that is no answer.
"""

from __future__ import annotations

import math
from collections.abc import Collection

from seal.evaluation.recorded.cells import name_of, names_of, text_of
from seal.evaluation.recorded.form import Content, Form, require
from seal.evaluation.recorded.said import Hints, Said
from seal.text.letters import LETTERS

_DIGITS = 10  # fewer has an index that may count a benchmark's questions
# `fail_msg` of its models behind an API (`vlmeval/api`).
_FAILED = "Failed to obtain answer"


def _fits(keys: Collection[str]) -> bool:
    return {"index", "prediction"} <= {*keys}


def _read(content: Content, where: str) -> list[Said]:
    require(content, ("index", "prediction"), where)
    names = names_of(content, ("index",), where)
    if not names:
        raise ValueError(f"{where}: index is empty")
    text = text_of(content, "prediction", where)
    failed = is_failure(text)
    question = text_of(content, "question", where)
    hints = Hints(
        names=tuple(names),
        number=int(names[0]) if names[0].isdecimal() and len(names[0]) < _DIGITS else None,
        question=question,
        options=options_of(content),
        truth=text_of(content, "answer", where),
    )
    said = Said(
        where,
        "" if question is not None else names[0],
        text=None if failed else text,
        more={"failed": text} if failed else {},
        hints=hints,
    )
    return [said]


def is_failure(text: str | None) -> bool:
    """Whether a prediction says that the model was not reached; that is no answer."""
    return text is not None and text.lstrip().startswith(_FAILED)


def options_of(content: Content) -> tuple[str, ...]:
    """The options in the columns A, B, C, ... of a row, those that are not empty."""
    found = []
    for letter in LETTERS:
        value = content.get(letter)
        if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
            break
        found.append(name_of(value))
    return tuple(found)


VLMEVALKIT = Form(
    name="vlmevalkit",
    looks="index, prediction",
    fits=_fits,
    read=_read,
    scoring="letter_vlmevalkit",
)
