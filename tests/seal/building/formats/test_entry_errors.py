from __future__ import annotations

import pytest

from seal.building.formats.entry_errors import ErrorsAt


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (KeyError("bbox"), "a.json: byte 3: no key 'bbox'"),
        (TypeError("no number"), "a.json: byte 3: not a box: no number"),
        (ValueError("no number"), "a.json: byte 3: not a box: no number"),
        (AttributeError("no list"), "a.json: byte 3: not a box: no list"),
    ],
)
def test_an_error_says_where_the_entry_stands(error: Exception, message: str) -> None:
    with pytest.raises(ValueError) as raised, ErrorsAt("a.json: byte 3", "not a box"):
        raise error
    assert str(raised.value) == message and raised.value.__cause__ is error


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(OSError, match=r"^disk$"), ErrorsAt("a.json"):
        raise OSError("disk")
    with pytest.raises(ValueError, match=r"^a\.json: 5$"), ErrorsAt("a.json"):
        raise ValueError(5)
