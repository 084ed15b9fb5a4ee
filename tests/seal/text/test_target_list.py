"""Lists of objects, as models give them: what is read, and what never comes of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from listed_answers import CUT, LISTED

from seal.text.target_list import parse_target_list
from seal.text.targets import why_not_a_target

MARKS = [
    "<image>", "<object>", "<im_start>", "<im_end>", "<s>", "</s>", "[LOC]", "<|im_end|>",
    "<|vision_start|>", "<start_of_image>", "<end_of_turn>", "[INST]", "<pad>", "<|eot_id|>",
    "<\uff5cend\u2581of\u2581sentence\uff5c>",
]  # fmt: skip
PIECES = [
    *MARKS, "```json\n", "```", '["', '", "', '"]', "[", "]", "{", "}", ":", ": ", "\n", "\n- ",
    "\n1. ", "\n2) ", "* ", "**", ", ", " and ", "\u3001", "\u548c", "\u060c ", ". ", "?", "'",
    "<think>", "</think>", "<answer>", "<ref>", "</ref>", "None", "Sorry, I can not", "42", "\t",
    "The objects are ", "I need to see ", "red mug", "the boat", "caf\u00e9", "(left)", " - small",
    "\u7ea2\u8272\u7684\u6c7d\u8f66", "Stra\u00dfe", "\u0644\u0648\u062d\u0629", "\u0130stanbul",
    "\u01c5", "\ufb01re", "\x00", "\u200f", "\ud800", "  ", "\u00a0", "\u2028", "\\u00e9", '\\"',
]  # fmt: skip
ANSWERS = st.one_of(
    st.text(max_size=200),
    st.lists(st.sampled_from(PIECES), max_size=25).map("".join),
    st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=8)), max_size=25).map("".join),
    st.tuples(st.sampled_from(list(LISTED)), st.integers(0, 80)).map(lambda t: t[0][: t[1]]),
    st.tuples(st.sampled_from(list(LISTED)), st.sampled_from(PIECES), st.integers(0, 80)).map(
        lambda t: t[0][: t[2]] + t[1] + t[0][t[2] :]
    ),
    st.recursive(
        st.one_of(st.none(), st.integers(), st.sampled_from(PIECES)),
        lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.sampled_from(PIECES), inner)),
        max_leaves=8,
    ).map(lambda value: json.dumps(value, ensure_ascii=False)),
)
WORDS = ("ripe", "small", "mug", "boat", "dog", "man", "sign", "street", "woman's", "left-hand")
NAMES = st.lists(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=4, unique=True).map(" ".join),
    min_size=1, max_size=8, unique=True,
)  # fmt: skip
FORMS = {
    "JSON": json.dumps,
    "JSON in a fence": lambda names: f"Here:\n```json\n{json.dumps(names, indent=2)}\n```\nDone.",
    "JSON of objects": lambda names: json.dumps([{"label": n, "why": "small"} for n in names]),
    "Python": repr,
    "numbers": lambda names: "\n".join(f"{i}. {n}" for i, n in enumerate(names, 1)),
    "numbers in a line": lambda names: " ".join(f"({i}) {n}" for i, n in enumerate(names, 1)),
    "bullets": lambda names: "The objects:\n" + "\n".join(f"- the {n}" for n in names),
    "bold": lambda names: "\n".join(f"* **{n}**: for its color, of course" for n in names),
    "commas": ", ".join,
    "a sentence": lambda names: f"Objects: the {', the '.join(names)}.",
    "lines": "\n".join,
}


@pytest.mark.parametrize("answer", LISTED, ids=lambda answer: ascii(answer[:40]))
def test_an_answer_is_read_as_a_person_would_read_it(answer):
    assert parse_target_list(answer) == LISTED[answer]


@pytest.mark.parametrize("answer", CUT, ids=ascii)
def test_what_the_limit_broke_off_is_no_name(answer):
    assert parse_target_list(answer, finished=False) == CUT[answer]


@settings(max_examples=40, deadline=None, derandomize=True)
@pytest.mark.parametrize("form", FORMS)
@given(names=NAMES)
def test_names_come_back_from_every_form(form, names):
    assert parse_target_list(FORMS[form](names)) == names


@settings(max_examples=600, deadline=None, derandomize=True)
@given(answer=ANSWERS, most=st.integers(1, 5), finished=st.booleans())
@example(answer='["\\u00e9t\\u00e9"]', most=3, finished=True)
@example(answer="\u0130stanbul, \u01c5", most=3, finished=True)
@example(answer="mug \ud800, bo\u200fat", most=3, finished=True)
@example(answer="red\u00a0\u00a0mug,\n boat", most=3, finished=True)
def test_whatever_is_said_no_target_is_made_up(answer, most, finished):
    targets = parse_target_list(answer, max_targets=most, finished=finished)
    if targets is None:
        return
    said = folded(answer)
    assert len(targets) <= most
    assert len({folded(target) for target in targets}) == len(targets)
    for target in targets:
        assert folded(target) in said
        assert why_not_a_target(target) is None
        assert not any(mark in target for mark in MARKS)
        assert target.isprintable() or "\u200c" in target or "\u200d" in target
        target.encode()


def test_an_endless_answer_is_read_at_once():
    for answer in (
        "mug, " * 100_000,
        "[" * 100_000,
        "- a\n" * 50_000,
        "<think>" * 50_000,
        "a(" * 99_999,
    ):
        targets = parse_target_list(answer)
        assert targets in (["mug"], None, ["a"])


def folded(text):
    return " ".join(text.split()).casefold()
