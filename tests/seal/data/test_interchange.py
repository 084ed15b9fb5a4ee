from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from golden_files import GOLDENS, batch_files, counted, golden_path
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from record_sets import chat_record, draw_image, messages, search_record, text_record

from seal.data.interchange import (
    from_authors,
    read_authors,
    read_entries,
    to_authors,
    write_authors,
)
from seal.data.record_set import Record, RecordTarget
from seal.geometry import Box
from seal.images import open_image


def read(folder: Path, entry: Any) -> list[Record]:
    draw_image(folder / "a.png")
    (folder / "theirs.json").write_text(json.dumps(entry))
    return list(read_authors(folder / "theirs.json", folder, source="gqa", license="none"))


@pytest.mark.goldens("d_batch")
def test_what_is_read_is_written_back() -> None:
    for name in counted(sorted(set(batch_files()))):
        check_round_trip(golden_path(name))


def check_round_trip(path: Path) -> None:
    entries = json.loads(path.read_text())
    for record, entry in zip(
        read_authors(path, GOLDENS, source=path.stem, license="none"), entries, strict=True
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
    written = to_authors(record)
    assert written["target_instances"] == instances
    assert written["conversations"] == conversation


def test_targets_that_differ_from_turn_to_turn_cannot_be_said(tmp_path: Path) -> None:
    turns = [("<image> <object>?", "a"), ("And <object>?", "b")]
    targets = tuple(RecordTarget(name, Box(0, 0, 5, 5)) for name in ("cup", "dog"))
    record = chat_record("r", conversations=messages(turns), targets=targets)
    with pytest.raises(ValueError, match="2 turns that name different targets"):
        to_authors(record)


def test_expressions_have_no_place_there() -> None:
    with pytest.raises(ValueError, match="no place for expressions"):
        to_authors(search_record("r"))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"x": 1}, r"theirs.json must hold a list"),
        ([{"image": "a.png"}], r"theirs.json: entry 0: no key 'conversations'"),
        ([{"image": "b.png", "conversations": []}], r"entry 0: .*b.png: does not exist"),
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


def test_a_file_of_ours_is_read_back_to_the_letter(tmp_path: Path) -> None:
    for name in ("a", "b"):
        draw_image(tmp_path / f"{name}.png")
    records = [chat_record("a", 3), chat_record("b"), text_record("c")]
    assert write_authors(tmp_path / "x.json", iter(records)) == 3
    back = list(read_authors(tmp_path / "x.json", tmp_path, source="test", license="none"))
    assert back == records
    assert not list(tmp_path.glob("*.partial"))


def test_a_file_of_theirs_is_written_back_to_the_letter(tmp_path: Path) -> None:
    draw_image(tmp_path / "a.png")
    entries = [
        {
            "image": "a.png",
            "search": True,
            "target_instances": [{"name": "cup", "bbox": [0.1, 3, 0.2, 30.7]}],
            "conversations": [
                {"from": "human", "value": "<image>\nFocus on <object>. \u00e9?"},
                {"from": "gpt", "value": "Red."},
            ],
        },
        {"id": "000123", "conversations": [
            {"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]},
    ]  # fmt: skip
    (tmp_path / "theirs.json").write_text(json.dumps(entries))
    records = read_authors(tmp_path / "theirs.json", tmp_path, source="gqa", license="none")
    write_authors(tmp_path / "again.json", records)
    assert json.loads((tmp_path / "again.json").read_text()) == entries


@given(
    st.tuples(*[st.floats(0, 20)] * 2, *[st.floats(0.01, 20)] * 2),
    st.tuples(*[st.integers(0, 1999)] * 2, *[st.integers(1, 2000)] * 2),
)
def test_boxes_survive_both_ways(floats: Any, hundredths: Any) -> None:
    x, y, w, h = floats
    record = chat_record("r", 1, targets=(RecordTarget("cup", Box(x, y, x + w, y + h)),))
    bbox = to_authors(record)["target_instances"][0]["bbox"]
    assert Box.from_xywh(*bbox) == record.targets[0].box
    # What people write: two decimals, which come back as they stood.
    x, y, w, h = (value / 100 for value in hundredths)
    box = Box.from_xywh(x, y, w, h)
    record = chat_record("r", 1, targets=(RecordTarget("cup", box),))
    assert to_authors(record)["target_instances"][0]["bbox"] == [x, y, w, h]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_has_the_size_it_is_opened_with(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (30, 20)).save(tmp_path / "a.jpg", exif=exif)
    said = [{"from": "human", "value": "<image> Hi?"}, {"from": "gpt", "value": "Yes."}]
    entry = {"image": "a.jpg", "conversations": said}
    record = from_authors(entry, tmp_path, name="n", source="s", license="l")
    assert (record.width, record.height) == open_image(tmp_path / "a.jpg").size


def test_a_file_that_is_no_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("text")
    with pytest.raises(ValueError, match=r"a\.jpg: not an image"):
        from_authors(
            {"image": "a.jpg", "conversations": []}, tmp_path, name="n", source="s", license="l"
        )


@pytest.mark.parametrize("text", ["[]", " [ ] ", "[1]", '[1, {"a": [2]},\n"]"]\n'])
def test_lists_are_read_element_by_element(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    assert list(read_entries(tmp_path / "x.json")) == list(enumerate(json.loads(text)))


@pytest.mark.parametrize("text", ["[", "[1", "[1,", "[1,]", "[1 2]", "[1] 2", "[,1]", '{"a": 1}'])
def test_a_list_that_is_cut_off_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ValueError, match=r"x\.json (is not JSON|must hold a list)"):
        list(read_entries(tmp_path / "x.json"))
