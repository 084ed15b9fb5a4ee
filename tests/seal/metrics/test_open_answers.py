"""Open answers as MMMU reads them: parts of sentences, and numbers to two digits."""

from __future__ import annotations

import pytest

from seal.metrics.open_answers import open_answer


@pytest.mark.parametrize(
    ("said", "labels", "right"),
    [
        ("5", ["5"], 1), ("5.004", ["5"], 1), ("5.02", ["5"], 0), ("1,200", ["1200"], 1),
        ("The answer is 12.5.", ["12.50"], 1), ("12 of 24", ["24"], 1), ("so x = 7", ["7"], 1),
        ("about 3e2 tons", ["300"], 1), ("-4", ["4"], 0), ("124", ["24"], 0),
        ("The Result is Gothic style", ["gothic"], 1), ("Gothic", ["gothic style"], 0),
        ("A. It could be baroque", ["Baroque", "Rococo"], 1), ("it is blue", ["red", "blue"], 1),
        # What stands before the last mark of an answer is none.
        ("red, so it is blue", ["red"], 0),
        # A letter needs a blank beside it.
        ("vitamin c", ["C"], 1), ("carbon", ["C"], 0),
        # Each line has its own answer; an equation counts in the last one alone.
        ("it is red\nit is blue", ["red"], 1), ("x = 4\ny = 7", ["7"], 1), 
        ("x = red\nit is so", ["red"], 0), ("red = x\nfor sure", ["red"], 1),
        ("", ["5"], 0), (".", ["5"], 0),
        # A mark with nothing behind it is no answer, and what stood behind others is forgotten.
        ("it is red, so\n a =", ["red"], 1), ("so it is blue =", ["so it"], 1),
        ("it is 2e3kg", ["2000"], 1), (", 1,200.5 ,", ["1200.5"], 1),
    ],
)  # fmt: skip
def test_what_stands_behind_is_and_so_is_the_answer(said, labels, right):
    assert open_answer(said, labels) == right


def test_an_answer_needs_a_label():
    with pytest.raises(ValueError, match="at least one label"):
        open_answer("5", [])
