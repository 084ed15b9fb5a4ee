"""Cells of tables are read as what is plainly meant, or named with their row."""

from __future__ import annotations

from typing import Any

import pytest

from seal.evaluation.sources.rows import ListedRows
from seal.evaluation.tasks.row_entry import Ids, RowEntry


def entry(**cells: Any) -> RowEntry:
    return RowEntry(ListedRows("t.tsv", [cells], [":2"]), 0)


@pytest.mark.parametrize("empty", [None, "", " ", "nan", "NaN", float("nan")])
def test_what_pandas_leaves_of_an_empty_cell_is_empty(empty: Any) -> None:
    assert entry(hint=empty).told("hint") is None and entry().told("hint") is None
    with pytest.raises(ValueError, match=r"t\.tsv:2: hint=.*a text that is not empty"):
        entry(hint=empty).text("hint")


def test_a_number_is_as_good_as_its_text_and_none_is_an_option() -> None:
    cells = entry(A=3, B=2.0, C="None", D=0.5, index="241.0")
    assert cells.listed_options("ABCD") == ("3", "2", "None", "0.5")
    assert cells.number("index") == 241 and entry(index=7).number("index") == 7
    for value in ("7a", 1.5, None, True, [7]):
        with pytest.raises(ValueError, match="index="):
            entry(index=value).number("index")


def test_options_follow_one_another() -> None:
    assert entry(A="x", B="y", C=None, D="").listed_options("ABCD") == ("x", "y")
    for cells, named in (
        ({"A": "x", "B": None, "C": "z"}, "B=null"),
        ({"A": "x"}, "B=null"),
        ({"A": None, "B": None}, "A=null"),
        ({"A": float("nan"), "B": "y"}, "A=NaN"),
    ):
        with pytest.raises(ValueError, match=rf"t\.tsv:2: {named}: expected an option"):
            entry(**cells).listed_options("ABC")


@pytest.mark.parametrize(
    ("letter", "place"), [("A", 0), ("c", 2), ("(B)", 1), ("B.", 1), ("D", None), ("AB", None),
                          ("", None), (None, None), (1, None), ("x", None)],
)  # fmt: skip
def test_a_letter_names_an_option(letter: Any, place: int | None) -> None:
    if place is not None:
        assert entry(answer=letter).letter("answer", 3) == place
        return
    with pytest.raises(ValueError, match=r"answer=.*the letter of an option, A to C"):
        entry(answer=letter).letter("answer", 3)


def test_an_id_occurs_once() -> None:
    ids, row = Ids(), entry(index=1)
    assert ids.new(row, "index", 1) == "1"
    with pytest.raises(ValueError, match=r't\.tsv:2: index="1": expected an id of its own; t\.tsv'):
        ids.new(row, "index", "1")
