"""VLMEvalKit's options: the prompt it writes, and what it reads without a judge.

What is expected here was told by VLMEvalKit's own `can_infer` (August 2026); it agreed with ours on
400,000 random answers.
"""

from __future__ import annotations

import pytest

from seal.evaluation.judging import Choice
from seal.evaluation.scorings.vlmevalkit import (
    REFUSED,
    VLMEvalKit,
    vlmevalkit_letter,
    vlmevalkit_prompt,
)
from seal.evaluation.task import TaskQuestion

COLORS = ["red", "dark red", "green", "black"]
READ = [
    ("B", "B"),
    ("(B)", "B"),
    ("B. dark red", "B"),
    ("**C**", "C"),
    ("The answer is D.", "D"),
    ("b", None),  # a letter is a capital
    ("A or B", None),
    ("B is what I see here in it", None),  # its first place is before the last four words
    ("It is B, as I said", "B"),  # among the last four
    ("A big dark thing is to be seen there", None),
    ("The answer is certainly green", "C"),  # behind "answer is", word or not
    ("Answer is **b** because of all the things that I see here", "B"),
    ("green", "C"),
    ("It is GREEN", "C"),
    ("dark red", None),  # it contains "red" as well
    ("It is of a deep green that reminds one of the sea in a winter storm", None),  # too long
    ("Z", REFUSED),
    ("Cannot determine the answer", REFUSED),
    ("Failed to obtain answer via API. B", None),
    ("", None),
    ("E", None),
]


@pytest.mark.parametrize(("answer", "letter"), READ)
def test_an_answer_is_read_as_vlmevalkit_reads_it(answer, letter):
    assert vlmevalkit_letter(answer, COLORS) == letter


def test_letters_without_an_option_are_no_answer():
    assert vlmevalkit_letter("C", ["left", "right"]) is None
    assert vlmevalkit_letter("The answer is C", ["left", "right"]) is None


def test_the_prompt_ends_in_a_blank_and_a_new_line():
    assert vlmevalkit_prompt("What color?", ["red", "blue"]) == (
        "Question: What color?\nOptions:\nA. red\nB. blue\n"
        "Please select the correct answer from the options above. \n"
    )
    assert vlmevalkit_prompt("What?", ["a", "b"], "look left").startswith("Hint: look left\nQuest")


def test_the_letter_is_that_of_the_option_shown_there():
    question = TaskQuestion("7", "What color?", options=tuple(COLORS), answer=0)
    assert VLMEvalKit().choose(question, "(B)", (2, 0, 1, 3)) == Choice(0)
    assert VLMEvalKit().choose(question, "It is green", (2, 0, 1, 3)) == Choice(2)


@pytest.mark.parametrize("answer", ["Z", "A or B", "E", "", "dark red"])
def test_what_a_judge_would_be_asked_is_invalid(answer):
    question = TaskQuestion("7", "What color?", options=tuple(COLORS), answer=0)
    assert VLMEvalKit().choose(question, answer, (2, 0, 1, 3)) == Choice(None, invalid=True)


def test_a_hint_of_the_benchmark_comes_first():
    meta = {"shuffled": True, "hint": "Look left."}
    question = TaskQuestion("7", "What?", options=("a cup", "a hat"), answer=1, meta=meta)
    (wording,) = VLMEvalKit().wordings(question, seed=0)
    assert wording.order == (0, 1)
    put = wording.text
    assert put.startswith("Hint: Look left.\nQuestion: What?\nOptions:\nA. a cup\n")
    # MMBench's text holds the hint as well.
    held = TaskQuestion(
        "7", "Look left.\nWhat?", options=question.options, answer=1,
        meta=meta | {"question": "What?"},
    )  # fmt: skip
    assert VLMEvalKit().wordings(held, seed=0)[0].text == put
