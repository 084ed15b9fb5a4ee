from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seal.metrics.anls import anls, docvqa_anls, edit_distance


def slow_distance(first, second):
    """By the definition: what to do with the last characters."""
    if not first or not second:
        return len(first) + len(second)
    return min(
        slow_distance(first[:-1], second) + 1,
        slow_distance(first, second[:-1]) + 1,
        slow_distance(first[:-1], second[:-1]) + (first[-1] != second[-1]),
    )


@given(st.text("abc", max_size=5), st.text("abc", max_size=5))
def test_the_distance_is_that_of_the_definition(first, second):
    assert edit_distance(first, second) == slow_distance(first, second)


@pytest.mark.parametrize(
    ("answer", "labels", "expected"),
    [
        ("Fifth  Avenue", ["fifth avenue"], 1),
        ("fifth avenu", ["fifth avenue"], 1 - 1 / 12),
        ("ab", ["ac"], 0),  # half of it is wrong: nothing
        ("abc", ["xyz", "abd"], 1 - 1 / 3),
        ("", ["x"], 0),
        ("", [""], 1),
    ],
)
def test_the_nearest_label_counts_and_far_ones_earn_nothing(answer, labels, expected):
    assert anls(answer, labels) == pytest.approx(expected, abs=1e-12)


def test_no_label_is_an_error():
    with pytest.raises(ValueError, match="at least one label"):
        anls("x", [])


@pytest.mark.parametrize(
    ("answer", "labels", "expected"),
    [
        ("Fifth  Avenue", ["fifth avenue"], 1),
        ("ab", ["ac"], 0.5),  # half of it is right: half
        ("abc", ["xyz", "abd"], 1 - 1 / 3),
        ("abc", ["axy"], 0),
        ("a  b", ["a c"], 1 - 1 / 4),  # the length is that of the text as it was said
        ("", ["x"], 0),
    ],
)
def test_docvqas_server_gives_half_for_half(answer, labels, expected):
    assert docvqa_anls(answer, labels) == pytest.approx(expected, abs=1e-12)


@given(st.text("ab c", max_size=6), st.lists(st.text("ab c", max_size=6), min_size=1, max_size=3))
def test_the_servers_rule_differs_from_the_papers_at_the_threshold_alone(answer, labels):
    answer, labels = " ".join(answer.split()), [" ".join(label.split()) for label in labels]
    ours, paper = docvqa_anls(answer, labels), anls(answer, labels)
    assert ours == pytest.approx(paper) or (ours, paper) == (0.5, 0.0)
