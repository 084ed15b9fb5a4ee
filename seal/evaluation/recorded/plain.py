"""Answers in no particular program's form: a name of the question, and what was said of it.

The name is under id, question_id, questionId, index, input_image or image; the answer under
prediction, text, output, response or answer, or losses; where two of them stand, `answer` is the
right one. A row may also say `system`, `question`, `prompt`, `options` as they were shown or
`order` (the benchmark's option, from 0, at each place shown).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from seal.evaluation.recorded.cells import index_of, losses_of, names_of, text_of
from seal.evaluation.recorded.form import Content, Form
from seal.evaluation.recorded.said import Hints, Said
from seal.evaluation.recorded.vlmevalkit import options_of
from seal.text.quote import quoted

NAMES = ("id", "question_id", "questionId", "index", "input_image", "image")
LOSSES = ("losses", "per_option_losses")
TEXTS = ("prediction", "text", "output", "response", "answer")
TRUTH = "answer"


def _fits(keys: Collection[str]) -> bool:
    return any(key in keys for key in NAMES) and any(key in keys for key in (*TEXTS, *LOSSES))


def _read(content: Content, where: str) -> list[Said]:
    names = names_of(content, NAMES, where)
    if not names:
        raise ValueError(f"{where}: none of {', '.join(NAMES)} names a question")
    losses_key = _one(content, LOSSES, where)
    texts = [key for key in TEXTS if key in content]
    others = [key for key in texts if key != TRUTH]
    if len(others) > 1:
        raise ValueError(f"{where} has {' and '.join(others)}: which of them is the answer?")
    options = _options(content, where)
    if texts == [TRUTH] and options and losses_key is None:
        raise ValueError(
            f"{where} has options and the right {TRUTH}, and no answer of a system: it should be "
            f"called {', '.join(TEXTS[:-1])}"
        )
    told = TRUTH if TRUTH in texts and (others or losses_key is not None) else None
    key = next((key for key in texts if key != told), None)
    if key is None and losses_key is None:
        raise ValueError(f"{where} lacks the answer: one of {', '.join((*TEXTS, *LOSSES))}")
    output = content.get(key) if key is not None else None
    numbered = key == "output" and isinstance(output, int) and not isinstance(output, bool)
    said = Said(
        where,
        names[0],
        text=None if key is None or numbered else text_of(content, key, where),
        losses=None if losses_key is None else losses_of(content, losses_key, where),
        order=_order(content, where),
        system=text_of(content, "system", where) or "",
        chosen=index_of(output, "output", where) if numbered else None,
        hints=Hints(
            names=tuple(names[1:]),
            question=_words(content, "question"),
            prompt=_words(content, "prompt"),
            options=options,
            truth=_words(content, told) if told is not None else None,
            may_be_truth=key == TRUTH and _words(content, "question") is not None,
        ),
    )
    return [said]


def _one(content: Content, keys: Collection[str], where: str) -> str | None:
    there = [key for key in keys if key in content]
    if len(there) > 1:
        raise ValueError(f"{where} has {' and '.join(there)}: which of them is the answer?")
    return there[0] if there else None


def _words(content: Content, key: str) -> str | None:
    value = content.get(key)
    return value if isinstance(value, str) and value.strip() else None


def _options(content: Content, where: str) -> tuple[str, ...]:
    options = content.get("options")
    if options is None:
        return options_of(content)
    if not isinstance(options, list) or not all(isinstance(option, str) for option in options):
        raise ValueError(f"{where}: options={quoted(options)}: expected a list of texts")
    return tuple(options)


def _order(content: Content, where: str) -> tuple[int, ...] | None:
    order: Any = content.get("order")
    if order is None:
        return None
    if not isinstance(order, list):
        raise ValueError(f"{where}: order={quoted(order)}: expected a list of places, from 0")
    return tuple(index_of(place, "order", where) for place in order)


PLAIN = Form(
    name="plain",
    looks=f"one of {', '.join(NAMES)} and one of {', '.join((*TEXTS, *LOSSES))}",
    fits=_fits,
    read=_read,
)
