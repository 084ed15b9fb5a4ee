"""Tables of text are read as pandas reads them, or the line that is wrong is named."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seal.evaluation.sources.delimited import LONG_CELL, delimited_line, read_delimited

PICTURE = base64.b64encode(bytes(range(256)) * 40).decode()


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("suffix", [".tsv", ".csv"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_what_pandas_wrote_is_what_it_reads_and_so_do_we(
    tmp_path: Path, suffix: str, newline: str, mark: str
) -> None:
    rng = np.random.default_rng(0)
    letters = ["a", " ", '"', "\t", ",", "\n", "\u2028", "\u00e9", ""]
    frame = pd.DataFrame(
        {
            "index": range(60),
            "question": ["q" + "".join(rng.choice(letters, 12)) + "q" for _ in range(60)],
            "image": [PICTURE[: int(n)] for n in rng.integers(1, len(PICTURE), 60)],
            "hint": [f"h{i}" if i % 3 else None for i in range(60)],
        }
    )
    path = tmp_path / f"table{suffix}"
    sep = "," if suffix == ".csv" else "\t"
    text = frame.to_csv(sep=sep, index=False, lineterminator=newline)
    written(path, mark + text)
    rows = read_delimited(path)
    assert rows.columns == ("index", "question", "image", "hint") and len(rows) == 60
    assert any(rows.size(i, "image") > LONG_CELL for i in range(60))
    for i, row in enumerate(rows):
        assert row["index"] == str(i)
        assert row["question"] == frame["question"][i]
        assert row["image"] == frame["image"][i]
        assert rows.size(i, "image") == len(frame["image"][i])
        assert row["hint"] == (f"h{i}" if i % 3 else None)


def test_a_row_is_named_by_the_line_it_begins_on(tmp_path: Path) -> None:
    text = 'a\tb\n\n1\t"two\nlines"\n\n2\t' + "x" * 9999 + '\n3\t"""said"""'
    rows = read_delimited(written(tmp_path / "t.tsv", text))
    assert [rows.where(i) for i in range(3)] == [f"{tmp_path}/t.tsv:{n}" for n in (3, 6, 7)]
    assert [row["b"] for row in rows] == ["two\nlines", "x" * 9999, '"said"']


def test_quotation_marks_inside_a_cell_are_characters(tmp_path: Path) -> None:
    rows = read_delimited(written(tmp_path / "t.tsv", 'a\tb\n5" wide\tx "y"\n'))
    assert dict(rows[0]) == {"a": '5" wide', "b": 'x "y"'}
    with pytest.raises(KeyError):
        rows[0]["c"]


def test_a_column_without_a_name_is_called_as_pandas_calls_it(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    pd.DataFrame({"a": ["x"]}).to_csv(path, sep="\t")
    assert read_delimited(path).columns == tuple(pd.read_csv(path, sep="\t").columns)


def test_a_line_we_write_is_read_back(tmp_path: Path) -> None:
    cells = ["x", None, 'a "b"\tc', "two\nlines", 7]
    text = delimited_line(list("abcde")) + delimited_line(cells)
    (row,) = read_delimited(written(tmp_path / "t.tsv", text))
    assert list(row.values()) == ["x", None, 'a "b"\tc', "two\nlines", "7"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a\tb\n1\t2\n3\n", r"t\.tsv:3: 1 cells, but the header has 2 \(a, b\)"),
        ("a\tb\n1\t2\t3\n", r"t\.tsv:2: 3 cells"),
        ('a\tb\n1\t"open\n2\tx\n', r"t\.tsv:2: a quotation mark opens a cell and none closes"),
        ('a\tb\n\n1\t"x"y\n', r"t\.tsv:3: a quotation mark closes inside a cell, before 'y"),
        ("a\ta\n1\t2\n", r"t\.tsv:1: two columns are called 'a'"),
        ("a\tb\n", "has a header and no rows: 'a, b'"),
        ("", "it is empty"),
        ("\n\n", "nothing but blanks"),
        (b"a\tb\n1\t\xe9\n", r"t\.tsv:2: not UTF-8: byte 0xe9"),
        ("a\tb\n1\t2\n".encode("utf-16"), "UTF-16"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (PICTURE + "\n1\n", r"t\.tsv:1: a name of 13656 bytes is no header"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str | bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        read_delimited(written(tmp_path / "t.tsv", text))
    assert "\n" not in str(caught.value)


def test_bytes_of_a_long_cell_that_are_no_text_are_named_when_it_is_read(tmp_path: Path) -> None:
    path = written(tmp_path / "t.tsv", b"a\tb\n1\t" + b"\xe9" * 5000 + b"\n")
    rows = read_delimited(path)
    with pytest.raises(ValueError, match=r"t\.tsv:2: not UTF-8"):
        rows[0]["b"]
    path.write_bytes(b"a\tb\n1\t2\n")
    with pytest.raises(ValueError, match="has become shorter"):
        rows[0]["b"]
