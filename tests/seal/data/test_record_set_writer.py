from __future__ import annotations

import json
from pathlib import Path

import pytest
from record_sets import chat_record, search_record, text_record, write_set

from seal.data import record_set_writer as record_writer
from seal.data.record_set import Expression, Record, RecordSet
from seal.data.record_set_writer import RecordWriter, record_contents, record_line
from seal.geometry import Box

RECORDS = [
    chat_record("a", 2),
    text_record("b"),
    search_record("c", Expression("cup", (Box(1, 1, 9, 9),)), Expression("x", ())),
    search_record("d", Expression("sky", None)),
]


def write(folder: Path, records: list[Record], *, stop_after: int | None = None) -> None:
    with RecordWriter(folder, builder="t", seed=0, image_root="i", resume=True) as writer:
        for place in range(writer.progress, len(records)):
            if place == stop_after:
                raise RuntimeError("power cut")
            writer.write(records[place])
            writer.checkpoint(place + 1)


def test_the_set_says_what_it_holds(tmp_path: Path) -> None:
    contents = write_set(tmp_path, RECORDS).description["contents"]
    assert contents == {
        "turns": 2,
        "targets": 2,
        "expressions": 3,
        "expressions absent from their image": 1,
        "expressions without box supervision": 1,
        "boxes": 1,
    }


def test_a_set_that_was_stopped_counts_everything_once(tmp_path: Path) -> None:
    write(tmp_path / "whole", RECORDS)
    with pytest.raises(RuntimeError, match="power cut"):
        write(tmp_path / "stopped", RECORDS, stop_after=3)
    write(tmp_path / "stopped", RECORDS)
    whole, stopped = (
        json.loads((tmp_path / name / "set.json").read_text()) for name in ("whole", "stopped")
    )
    assert whole == stopped


def test_a_line_encoded_elsewhere_is_the_same_line(tmp_path: Path) -> None:
    with RecordWriter(tmp_path / "a", builder="t", seed=0, image_root="i") as writer:
        for record in RECORDS:
            writer.write_line(record.id, record_line(record), record_contents(record))
    write(tmp_path / "b", RECORDS)
    names = ["set.json", "records-00000-of-00001.jsonl"]
    assert all(
        (tmp_path / "a" / n).read_bytes() == (tmp_path / "b" / n).read_bytes() for n in names
    )
    assert list(RecordSet.open(tmp_path / "a")) == RECORDS


def test_an_id_occurs_once_among_thousands_and_across_a_restart(tmp_path: Path) -> None:
    records = [text_record(f"r{i}") for i in range(3000)]  # the table of ids grows twice
    with pytest.raises(ValueError, match="record 'r0' occurs twice"):
        write_set(tmp_path / "a", [*records, text_record("r0")])
    with pytest.raises(RuntimeError):
        write(tmp_path / "b", records[:5], stop_after=3)
    with pytest.raises(ValueError, match="record 'r1' occurs twice"):
        write(tmp_path / "b", [*records[:3], text_record("r1")])


def test_ids_whose_hashes_meet_in_the_table_are_told_apart() -> None:
    seen = record_writer._Seen()
    places = len(seen._table)
    assert [seen._put(value) for value in (5, 5 + places, 5 + 2 * places, 5)] == [True] * 3 + [
        False
    ]
