"""lmms-eval's V*Bench: the prompt it writes, and the letters it reads.

What is expected here was told by lmms-eval's own functions (version 0.7.2); the same functions
agreed with ours on 400,000 random answers.
"""

from __future__ import annotations

import pytest

from seal.evaluation.scorings.lmms_eval import lmms_eval_letter, lmms_eval_prompt

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
