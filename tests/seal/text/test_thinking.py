"""The answer of a model that thinks aloud, without its thoughts."""

from __future__ import annotations

import pytest

from seal.text.thinking import without_thinking


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("A mug.", "A mug."),
        ("<think>\nhm\n</think>\n\nA mug.", "A mug."),
        ("hm </think> A mug.", "A mug."),
        ("<think>a</think>b<think>c</think> A mug.", "A mug."),
        ("A mug. <think>or is it", "A mug."),
        ("<think>hm", ""),
        ("\u25c1think\u25b7hm\u25c1/think\u25b7A mug.", "A mug."),
        ("hm <answer> A mug. </answer> indeed", "A mug."),
        ("<Thinking>x</Thinking><answer>A mug.", "A mug."),
        ("1 < 2 and <b>so on</b>", "1 < 2 and <b>so on</b>"),
        ("", ""),
    ],
)
def test_thoughts_are_no_answer(said, answer):
    assert without_thinking(said) == answer
