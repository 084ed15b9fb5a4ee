"""One word says how pictures are shown, and a wrong one says what there is."""

from __future__ import annotations

import pytest

from seal.inference.answers.showing import Showing, read_granularity


@pytest.mark.parametrize(
    ("word", "policy", "granularity"),
    [
        ("auto", "router", "auto"),
        ("36", "router", 36),
        ("576", "router", 576),
        ("consistent", "consistent", None),
        ("paper_inference", "paper_inference", None),
    ],
)
def test_a_word_is_a_granularity_of_the_router_or_another_policy(word, policy, granularity):
    assert Showing.read(word) == Showing(policy, granularity)


@pytest.mark.parametrize("word", ["", "finest", "-36", "0", "3.5", "²", "Auto"])
def test_any_other_word_is_refused_with_those_that_there_are(word):
    with pytest.raises(ValueError, match="shown as auto, at a level as 144, or by a token policy"):
        Showing.read(word)
    with pytest.raises(ValueError, match="neither auto nor a level"):
        read_granularity(word)


@pytest.mark.parametrize(("given", "read"), [(None, None), (144, 144), ("144", 144)])
def test_a_level_is_a_number_wherever_it_was_written(given, read):
    assert read_granularity(given) == read
