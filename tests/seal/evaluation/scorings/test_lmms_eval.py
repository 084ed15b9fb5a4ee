"""lmms-eval's V*Bench: the prompt it writes, and the letters it reads.

What is expected here was told by lmms-eval's own functions (version 0.7.2); the same functions
agreed with ours on 400,000 random answers.
"""

from __future__ import annotations

import pytest

from seal.evaluation.judging import Choice
from seal.evaluation.scorings.lmms_eval import LmmsEval, lmms_eval_letter, lmms_eval_prompt
from seal.evaluation.task import TaskQuestion

READ = [
    ("B", "B"),
    (" (c) ", "C"),
    ("D.", "D"),
    ("a) a mug", "A"),
    ("Cotton", "C"),  # begins with one of the letters
    ("Because it is red", "B"),
    ("The answer is B", "B"),
    ("Answer: D", "A"),  # as does "Answer"
    ("My answer:\n D", "D"),
    ("my choice is: a", "A"),
    ("The answer is blue", "B"),
    ("I think (C), not (D)", "C"),
    ("It is red.", "D"),  # a word that ends in a letter before a full stop
    ("Option [b]", "B"),
    ("it must be C here", "C"),
    ("yellow, a little", "A"),
    ("left", None),
    ("yes, behind", None),
    ("white", None),
    ("zinc", "C"),  # the only one of the letters in it
    ("E", None),
    ("", None),
    ("  \n", None),
]


@pytest.mark.parametrize(("answer", "letter"), READ)
def test_a_letter_is_read_as_lmms_eval_reads_it(answer, letter):
    assert lmms_eval_letter(answer) == letter


def test_the_request_comes_twice_and_options_get_a_full_stop():
    prompt = lmms_eval_prompt("What color is the sign? ", ["red", " dark red"])
    request = "Answer with the option's letter from the given choices directly."
    assert prompt == f"What color is the sign?\nA. red\nB. dark red\n{request}\n{request}"


def test_more_options_than_the_task_has_letters_are_refused():
    with pytest.raises(ValueError, match="lists 4 options, not 5: choose another scoring"):
        lmms_eval_prompt("What?", ["1", "2", "3", "4", "5"])


OPTIONS = ("red", "blue", "green")


def test_a_shuffled_file_keeps_its_order_and_another_is_shuffled_by_the_seed():
    shuffled = TaskQuestion("7", "What color?", options=OPTIONS, answer=1, meta={"shuffled": True})
    (kept,) = LmmsEval().wordings(shuffled, seed=3)
    assert kept.order == (0, 1, 2)
    assert kept.text.startswith("What color?\nA. red\nB. blue\nC. green\nAnswer")
    listed_first = TaskQuestion("7", "What color?", options=OPTIONS, answer=0)
    orders = {LmmsEval().wordings(listed_first, seed)[0].order for seed in range(40)}
    assert len(orders) == 6


def test_the_letter_is_that_of_the_option_shown_there():
    question = TaskQuestion("7", "What color?", options=OPTIONS, answer=0)
    assert LmmsEval().choose(question, "B", (2, 0, 1)) == Choice(0)
    assert LmmsEval().choose(question, "Cyan", (2, 0, 1)) == Choice(1)


@pytest.mark.parametrize("answer", ["D", "left", ""])
def test_no_letter_and_one_without_an_option_are_invalid(answer):
    question = TaskQuestion("7", "What color?", options=OPTIONS, answer=0)
    assert LmmsEval().choose(question, answer, (2, 0, 1)) == Choice(None, invalid=True)
