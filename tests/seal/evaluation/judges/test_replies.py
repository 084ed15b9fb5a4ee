from __future__ import annotations

import pytest

from seal.evaluation.judges.replies import labelled_number, labelled_word


@pytest.mark.parametrize(
    "reply",
    [
        *("score: 0.4", "Score: 0.4", "**Score:** 0.4", "- score: `0.4`", "score = 0.40.", "0.4"),
        "It names one of the two things.\n\nscore: 0.4\n",
        "score: 0.4\nSo again:\nscore: 0.40",
        "<think>perhaps score: 1.0\nscore: 1.0</think>score: 0.4",
        '{"score": 0.4}',
        '```json\n{"why": "one of two", "score": "0.4"}\n```',
    ],
)
def test_a_grade_on_a_line_of_its_own_is_read(reply: str) -> None:
    assert labelled_number(reply, "score", 0.0, 1.0, alone=True) == 0.4


@pytest.mark.parametrize(
    "reply",
    [
        *("", "good", "I would say 0.4", "score: good", "score:", "score: 0.4 or 0.6"),
        *("score: 4/10", "score: 0,4", "score: 40%", "score: -0.4", "-0.4", "score: 1.4"),
        *("score: nan", "score: 4e-1", "score: 0.4, score: 0.6", "the score: 0.4 of another"),
        "score: 0.4\nscore: 0.6",
        "score: 0.4\nscore: unsure",
        "<think>score: 0.4",
        '{"score": [0.4]}',
    ],
)
def test_anything_else_is_no_grade(reply: str) -> None:
    assert labelled_number(reply, "score", 0.0, 1.0, alone=True) is None


def test_a_lone_number_counts_only_where_one_is_asked_for() -> None:
    assert labelled_number("8", "answer", 1.0, 10.0) is None
    assert labelled_number("reference: 9\nanswer: 8", "answer", 1.0, 10.0) == 8.0


@pytest.mark.parametrize(
    ("reply", "word"),
    [
        *(("verdict: correct", "correct"), ("Verdict: **incorrect**.", "incorrect")),
        *(("Incorrect", "incorrect"), ('{"verdict": "correct"}', "correct")),
        *(("verdict: not correct", None), ("verdict: correct or incorrect", None)),
        *(("verdict: correct\nverdict: incorrect", None), ("The answer is correct", None)),
    ],
)
def test_a_verdict_is_one_word_or_none(reply: str, word: str | None) -> None:
    assert labelled_word(reply, "verdict", ("correct", "incorrect"), alone=True) == word
