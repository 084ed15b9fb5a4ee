from __future__ import annotations

import pytest

from seal.text.wanted_text import wanted_texts


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        ('"EXIT"', ["EXIT"]),
        ("the word 'EXIT' on the door", ["EXIT"]),
        ("the sign \u201cMind the gap\u201d", ["Mind the gap"]),
        ("a label 'Driver's seat'", ["Driver's seat"]),
        ("'SALE' and 'NEW'", ["SALE", "NEW"]),
        ("the text OPEN IN JULY", ["OPEN IN JULY"]),
        ("the word Sale on the shop window", ["Sale"]),
        ("the number 25", ["25"]),
        ("the text that says stop", ["stop"]),
        ("letters spelling open on the door", ["open"]),
        ("the text READ ME", ["READ ME"]),
        ("the text Reading Room", ["Reading Room"]),
        ("the word reading", ["reading"]),
        ("the title Of Mice and Men", ["Of Mice and Men"]),
        ("the name of the shop", []),
        ("a sign that says No Parking", ["No Parking"]),
        ("the box labeled Fragile", ["Fragile"]),
        ("SAMSUNG logo", ["SAMSUNG logo", "SAMSUNG"]),
        ("the exit sign", ["exit sign", "exit"]),
        ("STOP", ["STOP"]),
        ("the text on the sign", []),
        ("the number on his jersey", []),
        ("'...'", []),
        ("", []),
    ],
)
def test_what_text_a_target_names(target, wanted):
    assert wanted_texts(target) == wanted
