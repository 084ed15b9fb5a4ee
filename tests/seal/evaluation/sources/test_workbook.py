"""Workbooks give the values that were stored; what is computed is refused."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from openpyxl import Workbook

from seal.evaluation.sources.workbook import LONGEST_CELL, read_workbook, write_workbook


def book(path: Path, *sheets: list[list[Any]]) -> Path:
    workbook = Workbook()
    workbook.remove(workbook.active)
    for rows in sheets:
        sheet = workbook.create_sheet()
        for row in rows:
            sheet.append(row)
    workbook.save(path)
    return path


def test_the_upload_form_of_pandas_is_read_with_its_row_numbers(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    frame = pd.DataFrame({"index": [241, 7], "A": ["=no", None], "prediction": ["A", "2"]})
    frame["A"] = ["red", None]
    frame.to_excel(path, index=False)
    rows = read_workbook(path)
    assert [dict(row) for row in rows] == [
        {"index": 241, "A": "red", "prediction": "A"},
        {"index": 7, "A": None, "prediction": "2"},
    ]
    assert rows.where(1) == f"{path}: row 3"


def test_empty_rows_and_empty_sheets_are_passed_over(tmp_path: Path) -> None:
    path = book(tmp_path / "t.xlsx", [[None, "a"], [], [1, 2], [None, None], [3]], [])
    rows = read_workbook(path)
    assert [dict(row) for row in rows] == [{"Unnamed: 0": 1, "a": 2}, {"Unnamed: 0": 3, "a": None}]
    assert rows.where(1).endswith("row 5")


def test_texts_that_look_like_formulas_stay_texts(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    write_workbook(path, ["id", "text"], [[1, "=A1"], [2, None], [3, "+x"]])
    assert [row["text"] for row in read_workbook(path)] == ["=A1", None, "+x"]
    assert list(pd.read_excel(path)["id"]) == [1, 2, 3]


@pytest.mark.parametrize(
    ("sheets", "says"),
    [
        ([[["a"], ["=1+1"]]], "A2 holds a formula, '=1.1'"),
        ([[["a"], [datetime.date(2026, 1, 2)]]], "A2 holds a date or time, 2026-01-02"),
        ([[["a"], ["#N/A"]]], "A2 holds an error, '#N/A'"),
        ([[["a"]]], "has a header and no rows"),
        ([[]], "holds nothing: expected one sheet"),
        ([[["a"], [1]], [["b"], [2]]], "holds sheets Sheet, Sheet1: expected one sheet"),
        ([[["a", "a"], [1, 2]]], "two columns are called 'a'"),
        ([[["a"], [1, 2]]], "row 2 has a cell behind the last named column"),
    ],
)
def test_what_is_no_plain_table_is_named(tmp_path: Path, sheets: Any, says: str) -> None:
    with pytest.raises(ValueError, match=rf"t\.xlsx.*{says}") as caught:
        read_workbook(book(tmp_path / "t.xlsx", *sheets))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"index\tA\n", b"PK\x03\x04 and nothing"])
def test_a_file_that_is_no_workbook_is_called_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.xlsx"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"t\.xlsx is no workbook that can be read"):
        read_workbook(path)


def test_what_a_workbook_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"row 2: text has 32,768 characters.*write a \.tsv"):
        write_workbook(tmp_path / "t.xlsx", ["text"], [["x" * (LONGEST_CELL + 1)]])
    with pytest.raises(ValueError, match=r"row 2: text=.* has a character"):
        write_workbook(tmp_path / "t.xlsx", ["text"], [["a\0b"]])
