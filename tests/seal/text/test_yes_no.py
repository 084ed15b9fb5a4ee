"""Yes and No in words, behind whatever the model thought first."""

from __future__ import annotations

import pytest

from seal.text.yes_no import parse_yes_no


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("Yes", True),
        ("no.", False),
        ("**Yes**, the mug is in plain sight.", True),
        ("No, I can not.", False),
        ("<think>Yes, or rather not.</think>\nNo", False),
        ("Not that I know", None),
        ("I can see the mug", None),
        ("Yesterday", None),
        ("", None),
        ("<think>yes", None),
        ("Ja, klar", True),
        ("Nein", False),
        ("\u662f\u7684", True),
        ("\u4e0d\u80fd\u3002", False),
        ("\u0646\u0639\u0645", True),
        ("\u0644\u0627", False),
        ("\u041d\u0435\u0442", False),
    ],
)
def test_the_first_word_decides(said, means):
    assert parse_yes_no(said) is means
