"""Relaxed accuracy: numbers within 5%, words as they are."""

from __future__ import annotations

import pytest

from seal.metrics.relaxed_accuracy import relaxed_accuracy


@pytest.mark.parametrize(
    ("said", "label", "right"),
    [
        ("14", "14", 1), ("14.7", "14", 1), ("14.71", "14", 0), ("13.3", "14", 1),
        ("13.2", "14", 0),
        ("25.704", "24.48", 0), ("24.1965", "25.47", 1),  # the border, as a quotient rounds
        ("-9.6", "-10", 1), ("10", "-10", 0), ("1e2", "100", 1), (".5", "0.51", 1),
        ("12%", "0.12", 1), ("12%", "12", 0), ("12", "12%", 0), ("12.5%", "12%", 1),
        ("0.0", "0", 1), ("0.01", "0", 0),
        ("1,000", "1000", 0), ("1,000", "1,000", 1), ("nan", "14", 0), ("inf", "inf", 1),
        ("Yes.", "yes", 1), ("Dark  Blue", "dark blue", 1), ("blue", "dark blue", 0),
        ("14 people", "14", 0), ("", "0", 0), ("٣", "3", 0),
    ],
)  # fmt: skip
def test_numbers_may_be_a_little_wrong_and_words_may_not(said, label, right):
    assert relaxed_accuracy(said, [label]) == right


def test_any_label_will_do_and_none_will_not():
    assert relaxed_accuracy("4", ["9", "4.1"]) == 1
    with pytest.raises(ValueError, match="at least one label"):
        relaxed_accuracy("4", [])
