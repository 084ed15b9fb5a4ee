"""What a user writes is text, whatever the model's tokens are called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seal.inference.hf.control_tokens import as_plain_text

TOKENS = ("<|vision_start|>", "<image>", "<im>", "</s>", "e>")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Is the <image> red?", "Is the < image> red?"),
        ("<<image>image>", "<< image>image>"),
        ("<im<image>>", "<im< image>>"),
        ("no control token", "no control token"),
        ("图里有什么 </s>", "图里有什么 < /s>"),
    ],
)
def test_a_control_token_is_broken_behind_its_first_character(text, plain):
    assert as_plain_text(text, TOKENS[:4]) == plain


def test_a_token_of_one_character_becomes_a_space():
    assert as_plain_text("a§b", ("§",)) == "a b"


@given(st.lists(st.sampled_from([*TOKENS, "<", "im", ">", "age", " ", "é"]), max_size=12))
def test_no_control_token_survives_however_it_is_pieced_together(parts):
    plain = as_plain_text("".join(parts), TOKENS)
    assert not any(token in plain for token in TOKENS)
    assert plain.replace(" ", "") == "".join(parts).replace(" ", "")
