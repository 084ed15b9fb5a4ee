from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from record_sets import chat_record, search_record, text_record, write_set

from seal.data.record_set import Expression, Record, RecordSet
from seal.data.record_set_writer import RecordWriter, record_contents, record_line
from seal.files.lock import InUseError
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


def test_files_of_others_stay_as_they_are(tmp_path: Path) -> None:
    theirs = ["film.mkv.partial", "records-of-the-lab.jsonl", "records-2023-of-2024.jsonl"]
    for name in theirs:
        (tmp_path / name).write_text(name)
    with pytest.raises(RuntimeError, match="power cut"):
        write(tmp_path, RECORDS, stop_after=2)
    write(tmp_path, RECORDS)
    assert [(tmp_path / name).read_text() for name in theirs] == theirs
    assert len(RecordSet.open(tmp_path)) == len(RECORDS)
    assert {p.name for p in tmp_path.iterdir()} == {
        *theirs,
        "set.json",
        "records-00000-of-00001.jsonl",
    }


@pytest.mark.parametrize(
    "name",
    ["records-00000.partial", "records-00000-of-00009.jsonl", "report.html", "progress.partial"],
)
def test_a_file_of_a_name_that_the_set_needs_is_refused_and_kept(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(ValueError, match=rf"{name} is .*choose another folder"):
        write(tmp_path, RECORDS)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [(name, "mine")]


def test_a_run_that_died_while_it_named_its_files_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "whole", RECORDS)
    rename = Path.rename

    def dies(path: Path, target: Path) -> Path:
        if "00001-of" in str(target):
            raise KeyboardInterrupt
        return rename(path, target)

    def build(folder: Path) -> int:
        with RecordWriter(
            folder, builder="t", seed=0, image_root="i", records_per_shard=1, resume=True
        ) as writer:
            first = writer.progress
            for place in range(first, len(RECORDS)):
                writer.write(RECORDS[place])
                writer.checkpoint(place + 1)
        return first

    monkeypatch.setattr(Path, "rename", dies)
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "died")
    monkeypatch.setattr(Path, "rename", rename)
    assert (tmp_path / "died" / "records-00000-of-00004.jsonl").exists()
    assert build(tmp_path / "died") == len(RECORDS)
    assert list(RecordSet.open(tmp_path / "died")) == RECORDS
    assert not list((tmp_path / "died").glob("*partial*"))


def test_two_writers_of_one_folder_are_not_possible(tmp_path: Path) -> None:
    with RecordWriter(tmp_path, builder="t", seed=0, image_root="i", resume=True) as first:
        with pytest.raises(InUseError, match="another build writes there"):
            write(tmp_path, RECORDS)
        first.write(RECORDS[0])
    assert list(RecordSet.open(tmp_path)) == RECORDS[:1]


def test_a_full_disk_is_one_line_and_the_set_goes_on_from_what_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync
    left = [4]

    def full(descriptor: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ValueError, match=r"cannot be written: No space left on device") as caught:
        write(tmp_path / "a", RECORDS)
    assert "\n" not in str(caught.value) and str(tmp_path / "a") in str(caught.value)
    monkeypatch.setattr(os, "fsync", fsync)
    with RecordWriter(tmp_path / "a", builder="t", seed=0, image_root="i", resume=True) as writer:
        assert writer.progress == 1
        for record in RECORDS[1:]:
            writer.write(record)
    assert list(RecordSet.open(tmp_path / "a")) == RECORDS


def test_a_folder_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="empty name: out=FOLDER"):
        RecordWriter("", builder="t", seed=0, image_root="i")
