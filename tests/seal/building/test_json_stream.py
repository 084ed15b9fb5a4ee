from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seal.building import json_stream
from seal.building.json_stream import read_element, stream_arrays

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.text(), VALUES),
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
    whole = json_stream._CHUNK
    json_stream._CHUNK = chunk
    try:
        found = list(stream_arrays(path))
    finally:
        json_stream._CHUNK = whole
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
