"""lmms-eval's samples, as `--log_samples` writes them.

Three editions of EvolvingLMMs-Lab/lmms-eval: since September 2024 JSON lines
`*_samples_TASK.jsonl` of doc_id, target, resps, filtered_resps, input and the metrics
(`lmms_eval/loggers/evaluation_tracker.py`), until 2026 with the `doc` itself, since then without
it, with the list around a single answer taken off and `resps` left out where it repeats
`filtered_resps`; before, one JSON object with the samples under `logs`. All cells of resps are
texts there. `doc_id` counts the rows of the task's split from 0. Of options that were compared by
likelihood, each answer is [loss, is_greedy], and the smallest loss wins
(`lmms_eval/api/task.py`, multiple_choice).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from seal.evaluation.recorded.cells import index_of, names_of, text_of
from seal.evaluation.recorded.form import Content, Form, require
from seal.evaluation.recorded.said import Hints, Said
from seal.text.letters import LETTERS
from seal.text.quote import quoted

_NAMES = ("question_id", "questionId", "id", "index")


def _fits(keys: Collection[str]) -> bool:
    return "doc_id" in keys and ("filtered_resps" in keys or "resps" in keys)


def _read(content: Content, where: str) -> list[Said]:
    require(content, ("doc_id", "filtered_resps"), where)
    text, losses = _answer(content["filtered_resps"], where)
    doc = content.get("doc")
    doc = doc if isinstance(doc, dict) else {}
    question = doc.get("question")
    prompt = content.get("input")
    if not isinstance(prompt, str):
        prompt = _first_text(content.get("arguments"))
    hints = Hints(
        names=tuple(_names(doc, content, where)),
        number=index_of(content["doc_id"], "doc_id", where, most=None),
        question=question if isinstance(question, str) else None,
        prompt=prompt,
        options=_options(doc) if prompt is None else (),
        truth=_truth(content.get("target")),
    )
    return [Said(where, "", text=text, losses=losses, hints=hints)]


def _answer(value: Any, where: str) -> tuple[str | None, tuple[float, ...] | None]:
    """The text, or the losses of the options."""
    pairs = isinstance(value, list) and len(value) > 1
    if pairs and all(isinstance(v, list) and len(v) == 2 for v in value):
        return None, tuple(_loss(first, where) for first, _ in value)
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, list):
        raise ValueError(
            f"{where}: filtered_resps={quoted(value)}: expected one answer, found {len(value)}"
        )
    return text_of({"filtered_resps": value}, "filtered_resps", where), None


def _loss(value: Any, where: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(
            f"{where}: filtered_resps holds {quoted(value)} where a loss should be"
        ) from None
    except OverflowError:
        return math.inf


def _names(doc: Content, content: Content, where: str) -> list[str]:
    """Of the document, or of a metric that carries the question's id with it."""
    found = names_of(doc, _NAMES, where)
    for value in content.values():
        if isinstance(value, Mapping) and value is not doc:
            found += names_of(value, ("question_id",), where)
    return list(dict.fromkeys(found))


def _options(doc: Content) -> tuple[str, ...]:
    shown = [doc.get(letter) for letter in LETTERS]
    return tuple(option for option in shown if isinstance(option, str) and option != "nan")


def _truth(target: Any) -> str | None:
    """Only a letter can be compared: other targets are written as their task likes."""
    letter = target.strip(" ().") if isinstance(target, str) else ""
    return letter if len(letter) == 1 and letter in LETTERS else None


def _first_text(arguments: Any) -> str | None:
    while isinstance(arguments, list) and arguments:
        arguments = arguments[0]
    return arguments if isinstance(arguments, str) else None


LMMS_EVAL = Form(
    name="lmms_eval",
    looks="doc_id, filtered_resps",
    fits=_fits,
    read=_read,
    scoring="letter_lmms_eval",
)
