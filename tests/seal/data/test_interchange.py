from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from golden_files import GOLDENS, golden_path, needs_goldens
from record_sets import chat_record, draw_image, messages

from seal.data.interchange import read_authors, to_authors
from seal.data.records import Record


def read(folder: Path, entry: Any) -> list[Record]:
    draw_image(folder / "a.png")
    (folder / "theirs.json").write_text(json.dumps(entry))
    return list(read_authors(folder / "theirs.json", folder, source="gqa", license="none"))


@needs_goldens
@pytest.mark.goldens
@pytest.mark.parametrize("name", ["GQA_data", "spatial_relation_data", "negative_data"])
def test_what_is_read_is_written_back(name: str) -> None:
    path = golden_path(f"vqa_data/{name}.json")
    entries = json.loads(path.read_text())
    for record, entry in zip(
        read_authors(path, GOLDENS, source=name, license="none"), entries, strict=True
    ):
        written = to_authors(record)
        assert written.pop("id") == record.id
        assert written == entry


def test_objects_are_numbered_anew_in_each_turn(tmp_path: Path) -> None:
    instances = [{"name": n, "bbox": [i, 0, 5, 5]} for i, n in enumerate(("cup", "dog"))]
    turns = [("<image> <object> and <object>?", "a"), ("And <object>?", "b")]
    values = [("human", q, a) for q, a in turns]
    conversation = [
        {"from": side, "value": value}
        for _, q, a in values
        for side, value in (("human", q), ("gpt", a))
    ]
    entry = {"image": "a.png", "target_instances": instances, "conversations": conversation}
    (record,) = read(tmp_path, [entry])
    assert [target.name for target in record.targets] == ["cup", "dog", "cup"]
    with pytest.raises(ValueError, match="2 turns"):
        to_authors(record)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"x": 1}, r"theirs.json must hold a list"),
        ([{"image": "a.png"}], r"theirs.json: entry 0: no key 'conversations'"),
        ([{"image": "b.png", "conversations": []}], r"entry 0: no image .*b.png"),
        ([{"conversations": [{"from": "bot", "value": "x"}]}], "unknown speaker 'bot'"),
        (
            [{"image": "a.png", "conversations": [{"from": "human", "value": "<image> <object>"}]}],
            "1 <object> in one turn, 0 target instances",
        ),
        (
            [
                {
                    "image": "a.png",
                    "target_instances": [{"name": "cup", "bbox": [1, 1, 0, 4]}],
                    "conversations": [
                        {"from": "human", "value": "<image> What is <object>?"},
                        {"from": "gpt", "value": "x"},
                    ],
                }
            ],
            r"entry 0: record 'gqa-0': target 'cup' has a box without area",
        ),
    ],
)
def test_a_broken_entry_is_named(tmp_path: Path, entry: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(tmp_path, entry)


def test_a_file_that_is_not_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "theirs.json").write_text("[{")
    with pytest.raises(ValueError, match=r"theirs.json is not JSON"):
        list(read_authors(tmp_path / "theirs.json", tmp_path, source="x", license="none"))


def test_text_has_no_image_and_no_targets_in_their_form() -> None:
    record = chat_record("r", conversations=messages([("<image> Hi?", "Yes.")]))
    assert set(to_authors(record)) == {"id", "image", "conversations"}
