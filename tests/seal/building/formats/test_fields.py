from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seal.building.formats.fields import (
    box_inside,
    box_numbers,
    checked_id,
    flag,
    id_text,
    image_size,
    listed,
    name_text,
    number,
    shown,
    text,
    whole,
)
from seal.geometry import Box

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(anything)
def test_whatever_stands_there_is_read_or_refused_on_one_line(value: Any) -> None:
    for read in (text, name_text, number, whole, flag, listed, box_numbers):
        try:
            read(value, "it")
        except ValueError as error:
            assert "\n" not in str(error) and len(str(error)) < 200
    try:
        assert id_text(id_text(value)) == id_text(value)
    except ValueError:
        assert not isinstance(value, int) or isinstance(value, bool)


@pytest.mark.parametrize(
    ("value", "found"), [(3, 3), (3.0, 3), ("3", 3), (" 3 ", 3), ("3.0", 3), (-2, -2)]
)
def test_numbers_may_be_text(value: Any, found: int) -> None:
    assert whole(value, "it") == found == number(value, "it")


@pytest.mark.parametrize(
    "value", [True, None, "", "a", "1_0", [3], {}, math.nan, "inf", 10**400, "9" * 5000]
)
def test_what_is_no_finite_number_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="width must be a finite number"):
        image_size({"width": value, "height": 4})


@pytest.mark.parametrize("value", [0, -3, 2.5, 10**7])
def test_an_image_has_whole_pixels(value: Any) -> None:
    with pytest.raises(ValueError, match=r"whole number|an image of"):
        image_size({"width": 5, "height": value})


@pytest.mark.parametrize(
    ("value", "found"),
    [
        *[(no, False) for no in (None, -1, -1.0, 0, 0.0, "0", "0.0", "false")],
        *[(yes, True) for yes in (1, 1.0, "1", "1.0", "True", True)],
    ],
)
def test_a_flag_may_be_text_or_have_a_point(value: Any, found: bool) -> None:
    assert flag(value, "iscrowd") is found


@pytest.mark.parametrize("value", [2, -2, "no", "", [], 0.5, {}])
def test_what_is_neither_yes_nor_no_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="iscrowd must be 0 or 1"):
        flag(value, "iscrowd")


@pytest.mark.parametrize(
    ("xywh", "inside"),
    [
        ([-5, -5, 10, 10], Box(0, 0, 5, 5)),
        ([50.5, "30", 20, 20], Box(50.5, 30, 60, 40)),
        ([70, 5, 5, 5], None),
        ([5, 5, 0, 9], None),
        ([5, 5, -3, 9], None),
    ],
)
def test_boxes_end_at_the_border(xywh: Any, inside: Box | None) -> None:
    assert box_inside(xywh, 60, 40) == inside


@pytest.mark.parametrize(
    "xywh", [[1, 2, 3], [1, 2, 3, 4, 5], ["a", 1, 2, 3], [0, 0, "nan", 1], [0, 0, 1e308, 1], None]
)
def test_a_box_is_four_finite_numbers(xywh: Any) -> None:
    with pytest.raises(ValueError, match="instance_bbox"):
        box_inside(xywh, 60, 40, "instance_bbox")


@pytest.mark.parametrize("value", ["a\0b", "a\ud800", 5, None])
def test_text_can_stand_in_a_file(value: Any) -> None:
    with pytest.raises(ValueError, match="caption"):
        text(value, "caption")


def test_an_id_stays_as_it_is_if_it_is_one() -> None:
    assert (checked_id(7.0), checked_id("7"), checked_id(None)) == (7.0, "7", None)
    with pytest.raises(ValueError, match=r"got \[7\]"):
        checked_id([7])


def test_a_value_that_holds_itself_is_shown_briefly() -> None:
    loop: list[Any] = []
    loop += [loop] * 100
    assert len(shown(loop)) <= 60 and len(shown("x" * 10**6)) <= 60
    assert shown(10**5000) == "a long int"
