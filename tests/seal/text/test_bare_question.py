"""What is left of a question without its options and how to answer."""

from __future__ import annotations

import pytest

from seal.text.bare_question import bare_question

REQUEST = "Answer with the option's letter from the given choices directly."


@pytest.mark.parametrize(
    ("whole", "bare"),
    [
        (f"What color is it?\nA. red\nB. blue\n{REQUEST}", "What color is it?"),
        (f"What color is it?\n(A) red\n(B) blue\n{REQUEST}\n{REQUEST}", "What color is it?"),
        ("Question: Where is the cup?\nOptions:\nA. left\nB. right\nPlease select one", None),
        ("Is there a cup?\nAnswer the question using a single word or phrase.", "Is there a cup?"),
        ("Is there a cup?\nPlease answer yes or no.\n", "Is there a cup?"),
        (
            "What is it?\nThe choices are listed below:\n(A) a cup\n(B) a hat\nSelect the best "
            "answer\nThe best answer is:",
            "What is it?",
        ),
        ("What is it?", "What is it?"),
        ("It stands\non a table. What is it?", "It stands\non a table. What is it?"),
        ("Vitamin\nA. is found where?", "Vitamin\nA. is found where?"),  # no list without B
        ("See the note.\nPlease describe the dog", "See the note.\nPlease describe the dog"),
        ("Answer the question.", "Answer the question."),
        ("A. red\nB. blue", "A. red\nB. blue"),  # nothing else would be left
    ],
)
def test_options_and_how_to_answer_name_nothing_to_search_for(whole, bare):
    assert bare_question(whole) == ("Where is the cup?" if bare is None else bare)
