from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seal.text.fuzzy import find_fuzzy

words = st.text("abcdefgh", min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("text", "line", "score", "part"),
    [
        ("exit", "EXIT", 1.0, "EXIT"),
        ("no parking", "NOPARKING here", 1.0, "NOPARKING"),
        ("Cafe", "the caf\u00e9, open", 1.0, "caf\u00e9"),
        ("welcome", "we1come home", 1 - 1 / 7, "we1come"),
        ("at", "water", 0.5, "at"),
        ("exit", "exits", 0.75, "exit"),
        ("25", "No. 25-27", 1.0, "25"),
        ("gap", "", 0.0, ""),
        ("...", "gap", 0.0, ""),
    ],
)
def test_how_much_of_a_line_is_the_text(text, line, score, part):
    match = find_fuzzy(text, line)
    assert match.score == pytest.approx(score)
    assert line[match.start : match.end] == part


def edits(a: str, b: str) -> int:
    """Levenshtein's distance, as it is defined."""
    if not a or not b:
        return len(a) + len(b)
    return min(
        edits(a[1:], b[1:]) + (a[0] != b[0]), edits(a[1:], b) + 1, edits(a, b[1:]) + 1
    )  # fmt: skip


@given(text=st.text("ab", min_size=1, max_size=4), line=st.text("ab ", max_size=5))
def test_no_part_of_the_line_is_nearer(text, line):
    match = find_fuzzy(text, line)
    near = len(text)
    for start in range(len(line)):
        for end in range(start + 1, len(line) + 1):
            if not (line[start].isalnum() and line[end - 1].isalnum()):
                continue
            inside = (start and line[start - 1].isalnum()) or (
                end < len(line) and line[end].isalnum()
            )
            near = min(near, edits(text, line[start:end].replace(" ", "")) + bool(inside))
    assert match.score == pytest.approx(max(0.0, 1 - near / len(text)))


@given(before=st.lists(words, max_size=3), text=words, after=st.lists(words, max_size=3))
def test_a_text_between_words_is_found_whole(before, text, after):
    line = " ".join([*before, text, *after])
    assert find_fuzzy(text, line).score == 1
