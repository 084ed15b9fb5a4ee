from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seal.building.formats import json_arrays
from seal.building.formats.json_arrays import read_element, read_json, stream_arrays

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


@settings(max_examples=150, deadline=None)
@given(
    # What a COCO file has lists in is refused without; see below.
    st.dictionaries(st.text().filter(lambda key: key not in json_arrays._LISTS), VALUES),
    st.sampled_from([None, 1]),
    st.booleans(),
    st.integers(1, 40),
)
def test_every_element_is_found_where_it_stands(
    tmp_path_factory: pytest.TempPathFactory,
    document: dict[str, Any],
    indent: int | None,
    ascii_only: bool,
    chunk: int,
) -> None:
    path = tmp_path_factory.mktemp("json") / "a.json"
    path.write_text(json.dumps(document, indent=indent, ensure_ascii=ascii_only), "utf-8")
    whole = json_arrays._CHUNK
    json_arrays._CHUNK = chunk
    try:
        found = list(stream_arrays(path))
    finally:
        json_arrays._CHUNK = whole
    expected = [
        (k, v) for k, values in document.items() if isinstance(values, list) for v in values
    ]
    assert [(element.key, element.value) for element in found] == expected
    with path.open("rb") as file:
        for element in found:
            assert read_element(file, element.start, element.end) == element.value


def test_a_file_cut_anywhere_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    whole = json.dumps({"info": {"a": 1}, "images": [{"id": 1}, {"id": 22}], "n": 5})
    for length in range(len(whole)):
        path.write_text(whole[:length])
        with pytest.raises(ValueError, match=r"a.json: byte \d+: .*is the file complete"):
            list(stream_arrays(path))


@pytest.mark.parametrize("text", ["[1]", '{"a" 1}', '{"a": [1 2]}', '{"a": [1,, 2]}', '{"a": [x]}'])
def test_what_is_not_such_a_document_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match=r"a.json: byte \d+"):
        list(stream_arrays(tmp_path / "a.json"))


DEEP = 100_000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"images": [1]} {}', "byte 16: expected nothing more, found '{'"),
        (b'{"images": [1]}]', "byte 15: expected nothing more"),
        (b"{}\0", "byte 2: expected nothing more"),
        (b'{"images": [1], "images": [2]}', "byte 25: key 'images' occurs twice"),
        (b'{"images": {"a": 1}}', "byte 19: 'images' must be a list"),
        (b'{"images": 0}', "byte 12: 'images' must be a list"),
        (b'{"images": "x"}', "byte 14: 'images' must be a list"),
        (b'{"images": [' + b"[" * DEEP + b"]" * DEEP + b"]}", "byte 12: nested too deep"),
        (b'{"images": [1, ' + b"9" * 5000 + b"]}", "byte 15: Exceeds the limit"),
        (b'{"images": ["a", "\xff"]}', "byte 17: not UTF-8"),
        (b'{"images": ["a", "\xff", "b"]}', "byte 17: not UTF-8"),
        (b'\xef\xbb\xbf{"images": 5}', "byte 15: 'images' must be a list"),
        (b'{"images": []}\n{"images": []}', "byte 15: expected nothing more, found '{'; one doc"),
        (b"[1]", "byte 0: expected an object with lists such as 'images'"),
        (b'[{"image_id": 1, "bbox": [], "score": 0.5}]', "byte 0: a list of detection results"),
        (b"\x1f\x8b\x08", "byte 0: it is compressed with gzip"),
        (b"<!DOCTYPE html>", "byte 0: it is an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1", "byte 0: it is a Git LFS pointer"),
        ('{"images": []}'.encode("utf-16"), "byte 0: it is in UTF-16 or UTF-32"),
        ('{"images": []}'.encode("utf-16-le"), "byte 0: it is in UTF-16 or UTF-32"),
        ('{"images": ["\u00e9"]}'.encode("latin-1"), "byte 12: not UTF-8: byte 0xe9"),
        (b" \n\n", "byte 0: it begins with nothing but blanks"),
        (b"{5: [1]}", "byte 2: a key must be text"),
    ],
)
def test_what_a_damaged_file_holds_is_named_by_its_byte(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"a\.json: {re.escape(message)}") as caught:
        list(stream_arrays(path))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_half_of_a_surrogate_pair_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(rb'["\ud83d\ude00", {"a": "\ud800"}]')
    with path.open("rb") as file:
        assert read_element(file, 1, 15) == "\U0001f600"
        with pytest.raises(ValueError, match=r"a\.json: byte 17: .* half of a surrogate pair"):
            read_element(file, 17, 32)
        assert read_element(file, 17, 32, halves=True) == {"a": "\ud800"}


def test_a_small_document_is_read_whole_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for content, value in ((b" [1, 2] ", [1, 2]), (b"7", 7), ('"\u00e9"'.encode(), "\u00e9")):
        path.write_bytes(content)
        assert read_json(path) == value
    for content in (b"", b"[1", b"1 2", b'"\xff"', rb'"\ud800"', b"[" * DEEP):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"a\.json: byte \d+: "):
            read_json(path)
