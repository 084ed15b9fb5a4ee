from __future__ import annotations

import json
from pathlib import Path

import pytest

from seal.building.formats import json_arrays
from seal.building.formats.json_arrays import read_element
from seal.building.formats.json_members import KeyedMembers, MemberIndex, stream_members


def write(path: Path, document: object, **settings: object) -> Path:
    path.write_text(json.dumps(document, **settings), encoding="utf-8")  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
@pytest.mark.parametrize("indent", [None, 2])
def test_members_come_with_their_bytes(
    tmp_path: Path, chunk: int, indent: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_arrays, "_CHUNK", chunk)
    document = {"7": {"a": [1, {"b": "caf\u00e9 }"}]}, "x\u00e9": 12.5, "": None, "l": []}
    path = write(tmp_path / "a.json", document, indent=indent, ensure_ascii=False)
    found = list(stream_members(path))
    assert {element.key: element.value for element in found} == document
    with path.open("rb") as file:
        assert [read_element(file, e.start, e.end) for e in found] == list(document.values())


def test_a_list_is_read_by_number(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", [{"a": 1}, "b", 3])
    assert [(e.key, e.value) for e in stream_members(path)] == [
        ("0", {"a": 1}),
        ("1", "b"),
        ("2", 3),
    ]
    index = MemberIndex(path)
    with path.open("rb") as file:
        assert [read_element(file, *span) for span in index.spans.tolist()] == [{"a": 1}, "b", 3]


@pytest.mark.parametrize("document", [{}, []])
def test_an_empty_document_has_no_members(tmp_path: Path, document: object) -> None:
    assert len(MemberIndex(write(tmp_path / "a.json", document, indent=1))) == 0


@pytest.mark.parametrize(
    "text",
    ['{"a": 1', '{"a" 1}', '{"a": {"b": 1}', "[1, 2", "[1 2]", "{1: 2}", "3", "", '{"a": tr'],
)
def test_a_broken_document_names_file_and_byte(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"a.json: byte \d+: .*complete"):
        list(stream_members(path))


def test_the_index_holds_offsets_and_nothing_else(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", {str(i): "x" * 1000 for i in range(500)})
    index = MemberIndex(path)
    assert index.spans.shape == (500, 2) and index.spans.nbytes == 8000


@pytest.mark.parametrize("indent", [None, 2])
def test_members_are_read_by_row_and_by_key(tmp_path: Path, indent: int | None) -> None:
    document = {"12": {"a": '"b": '}, 'quo"te\u00e9\\': [1], "x" * 300: "y", "": 0}
    path = write(tmp_path / "a.json", document, indent=indent)
    index, keyed = MemberIndex(path), KeyedMembers(path)
    assert [index.read(row) for row in range(len(index))] == list(document.items())
    assert {key: keyed.read(key) for key in document} == document
    assert len(keyed) == 4 and keyed.read("13") is None
    assert index.where(0) == keyed.where("12") == f"{path}: entry at byte {index.spans[0][0]}"
    listed = MemberIndex(write(tmp_path / "b.json", [{"k": "v"}, 5]))
    assert [listed.read(row) for row in range(2)] == [("", {"k": "v"}), ("", 5)]


def test_a_key_that_occurs_twice_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"1": 1, "1": 2}')
    with pytest.raises(ValueError, match="byte 14: '1' occurs twice"):
        KeyedMembers(path)


def test_a_key_that_is_too_long_to_be_read_again_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"a": 1, "b" * 2000: 2}))
    index = MemberIndex(path)
    assert index.read(0) == ("a", 1)
    with pytest.raises(ValueError, match=r"a\.json: entry at byte \d+: its key is longer"):
        index.read(1)
