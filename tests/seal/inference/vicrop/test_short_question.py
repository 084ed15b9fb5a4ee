from __future__ import annotations

import pytest

from seal.inference.vicrop.short_question import short_question


@pytest.mark.parametrize(
    ("question", "short"),
    [
        ("What color is it?\n(A) red.\n(B) blue.\nAnswer with the letter.", "What color is it?"),
        ("Which one?\nA. a mug\nB. a cup", "Which one?"),
        ("Which one?\n1) a mug", "Which one?"),
        ("Look closely.\nIs it a mug?", "Look closely.\nIs it a mug?"),
        ("What is written on the A. Smith sign?", "What is written on the A. Smith sign?"),
        ("(A) red\n(B) blue", "(A) red\n(B) blue"),  # nothing is above them
        ("", ""),
    ],
)
def test_the_option_lines_go(question, short):
    assert short_question(question) == short
