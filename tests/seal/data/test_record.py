from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from record_sets import chat_record, messages, search_record, text_record

from seal.data.masks import mask_to_rle
from seal.data.record import ASSISTANT, Expression, Message, Record, RecordTarget
from seal.geometry import Box

MASK = mask_to_rle(np.eye(40, 60, dtype=np.uint8))
PIXEL = st.floats(0, 30, allow_nan=False, width=32)


@pytest.mark.parametrize(
    "record",
    [
        chat_record(num_targets=2, meta={"note": "caf\u00e9"}),
        text_record(),
        search_record("scene", Expression("a", None, MASK), Expression("b", ())),
    ],
    ids=lambda record: record.id,
)
def test_a_record_survives_its_line(record: Record) -> None:
    assert Record.from_json(json.loads(json.dumps(record.to_json()))) == record


@given(PIXEL, PIXEL, st.floats(0.25, 10, width=32), st.floats(0.25, 10, width=32))
def test_boxes_survive_to_the_last_bit(x: float, y: float, w: float, h: float) -> None:
    record = search_record("s", Expression("cup", (Box.from_xywh(x, y, w, h),)))
    assert Record.from_json(json.loads(json.dumps(record.to_json()))) == record


def test_absent_and_not_annotated_are_told_apart() -> None:
    record = search_record("s", Expression("a", None), Expression("b", ()))
    boxes = [e["boxes"] for e in record.to_json()["expressions"]]
    assert boxes == [None, []]
    assert [e.boxes for e in Record.from_json(record.to_json()).expressions] == [None, ()]


def test_an_assistant_who_speaks_first_is_not_heard() -> None:
    turns = messages([("<image> Hi?", "Yes.")])
    record = chat_record(conversations=(Message(ASSISTANT, "Hello."), *turns))
    assert record.turns == [("<image> Hi?", "Yes.")]


def target(box: Box) -> tuple[RecordTarget, ...]:
    return (RecordTarget("cup", box),)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"targets": target(Box(5, 5, 5, 9)), "n": 1}, "target 'cup' has a box without area"),
        ({"targets": target(Box(5, 5, 9, 49)), "n": 1}, "lies outside 60 x 40"),
        ({"targets": target(Box(-3, 5, 9, 9)), "n": 1}, "lies outside"),
        ({"targets": target(Box(0, 0, float("inf"), 9)), "n": 1}, "not finite"),
        ({"targets": ()}, "2 <object> in the questions, but 0 targets"),
        ({"width": 0}, "0 x 40 pixels"),
        ({"image": None}, "neither targets nor expressions"),
        ({"id": ""}, "needs an id"),
        ({"license": None}, "license must be text"),
        ({"conversations": messages([(" <image>\n", "Yes.")]), "targets": ()}, "question is empty"),
        ({"conversations": messages([("<image> Hi?", "")]), "targets": ()}, "answer is empty"),
        ({"conversations": messages([("Hi?", "Yes.")]), "targets": ()}, "0 <image>"),
        ({"conversations": messages([("<image> a", "b")])[:1], "targets": ()}, "alternate"),
        ({"targets": (RecordTarget("<object>", Box(5, 5, 9, 9)),), "n": 1}, "name contains <obj"),
        (
            {"conversations": messages([("<image> a", "b <object>")]), "targets": ()},
            "an answer contains <object>",
        ),
        ({"conversations": (), "targets": ()}, "nothing to learn"),
        ({"conversations": (Message(ASSISTANT, "x"),), "targets": ()}, "no question"),
    ],
)
def test_a_broken_chat_record_names_itself(changes: dict[str, Any], message: str) -> None:
    changes = dict(changes)
    num_targets = changes.pop("n", 2)
    with pytest.raises(ValueError, match=f"record '{changes.get('id', 'r7')}': .*{message}"):
        chat_record(changes.pop("id", "r7"), num_targets, **changes)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (Expression(" ", ()), "an expression is empty"),
        (Expression("cup", (Box(3, 3, 3, 3),)), "expression 'cup' has a box without area"),
        (Expression("cup", None, {"size": [60, 40], "counts": ""}), r"\[60, 40\]"),
    ],
)
def test_a_broken_expression_names_its_record(expression: Expression, message: str) -> None:
    with pytest.raises(ValueError, match=f"record 'r7': .*{message}"):
        search_record("r7", expression)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 2}, "schema 2; this version reads 1"),
        ({"extra": 1}, r"unknown keys \['extra'\]"),
        ({"image": ...}, "no key 'image'"),
        ({"targets": [{"name": "cup", "box": [1, 2, 3]}]}, "four corners"),
        ({"targets": [{"name": "cup", "box": [9, 2, 3, 4]}]}, "out of order"),
        ({"targets": 5}, "wrong type"),
        ({"conversations": ["Hi?"]}, "wrong type"),
    ],
)
def test_a_line_that_is_no_record_says_why(change: dict[str, Any], message: str) -> None:
    line = chat_record("r7", 1).to_json() | change
    line = {key: value for key, value in line.items() if value is not ...}
    with pytest.raises(ValueError, match=message):
        Record.from_json(line)
