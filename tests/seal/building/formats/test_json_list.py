from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seal.building.formats import json_arrays
from seal.building.formats.json_arrays import read_element
from seal.building.formats.json_list import stream_list

VALUES = st.recursive(
    st.none() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(st.lists(VALUES), st.sampled_from([None, 1]), st.booleans(), st.integers(1, 40))
def test_every_element_is_found_where_it_stands(
    tmp_path_factory: pytest.TempPathFactory,
    values: list[Any],
    indent: int | None,
    ascii_only: bool,
    chunk: int,
) -> None:
    path = tmp_path_factory.mktemp("json") / "a.json"
    path.write_text(json.dumps(values, indent=indent, ensure_ascii=ascii_only), "utf-8")
    whole = json_arrays._CHUNK
    json_arrays._CHUNK = chunk
    try:
        found = list(stream_list(path))
    finally:
        json_arrays._CHUNK = whole
    assert [element.value for element in found] == values
    with path.open("rb") as file:
        for element in found:
            assert read_element(file, element.start, element.end) == element.value


def test_a_list_cut_anywhere_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    whole = json.dumps([{"id": "1"}, {"id": "22"}])
    for length in range(len(whole)):
        path.write_text(whole[:length])
        with pytest.raises(ValueError, match=r"a.json: byte \d+: .*is the file complete"):
            list(stream_list(path))


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["", "\n", "\r\n\n"])
def test_one_object_a_line_is_a_list_too(tmp_path: Path, mark: str, end: str) -> None:
    path = tmp_path / "a.jsonl"
    values = [{"id": 1}, {"id": "\u00e9", "more": [{}]}, {}]
    text = "\r\n".join(json.dumps(value, ensure_ascii=False) for value in values)
    path.write_bytes((mark + text + end).encode())
    found = list(stream_list(path))
    assert [element.value for element in found] == values
    with path.open("rb") as file:
        assert [read_element(file, e.start, e.end) for e in found] == values


@pytest.mark.parametrize("text", ['{"a": 1} {"a": 2}', '{"a": 1},\n{"a": 2}', '{"a": 1}\n5\n'])
def test_what_is_not_one_object_a_line_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match=r"a.json: byte \d+: expected one object a line, found"):
        list(stream_list(tmp_path / "a.json"))
