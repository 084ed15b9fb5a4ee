from __future__ import annotations

import json
from pathlib import Path

import pytest
from record_sets import chat_record, search_record, text_record, write_set

from seal.data.record_set import RecordSet, RecordWriter

RECORDS = [chat_record("a"), text_record("b"), search_record("c"), text_record("d")]


def shard(folder: Path) -> Path:
    return next(folder.glob("records-00000-*.jsonl"))


def edit(folder: Path, line: int, text: str) -> None:
    """Replace a line, keeping the length of the file."""
    lines = shard(folder).read_bytes().split(b"\n")
    lines[line] = text.encode().ljust(len(lines[line]))
    shard(folder).write_bytes(b"\n".join(lines))


@pytest.mark.parametrize("per_shard", [1, 3, 4, 10])
def test_a_set_gives_back_its_records_however_it_is_cut(tmp_path: Path, per_shard: int) -> None:
    records = write_set(tmp_path, RECORDS, records_per_shard=per_shard)
    num_shards = -(-len(RECORDS) // per_shard)
    assert sorted(p.name for p in tmp_path.glob("*.jsonl")) == [
        f"records-{i:05d}-of-{num_shards:05d}.jsonl" for i in range(num_shards)
    ]
    assert [records[i] for i in range(len(records))] == list(records) == RECORDS
    with pytest.raises(IndexError):
        records[len(RECORDS)]
    records.verify()


def test_set_json_says_where_the_set_comes_from(tmp_path: Path) -> None:
    with RecordWriter(
        tmp_path, builder="coco", seed=3, image_root="/data", settings={"limit": 2}
    ) as writer:
        writer.counts["dropped: no box"] = 5
        writer.write(RECORDS[0])
    description = json.loads((tmp_path / "set.json").read_text())
    assert description["builder"] == "coco" and description["seed"] == 3
    assert description["counts"] == {"dropped: no box": 5}
    assert description["settings"] == {"limit": 2}
    assert description["records"] == 1 and len(description["shards"][0]["sha256"]) == 64
    assert set(description["versions"]) >= {"seal", "python"}


def test_nothing_bears_its_final_name_before_the_end(tmp_path: Path) -> None:
    with RecordWriter(tmp_path, builder="test", seed=0, image_root=".") as writer:
        writer.write(RECORDS[0])
        assert not list(tmp_path.glob("*.jsonl")) and not (tmp_path / "set.json").exists()
        with pytest.raises(ValueError, match="not a record set"):
            RecordSet.open(tmp_path)


def test_an_error_while_writing_keeps_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="stop"),
        RecordWriter(tmp_path, builder="test", seed=0, image_root=".") as writer,
    ):
        writer.write(RECORDS[0])
        raise RuntimeError("stop")
    assert not list(tmp_path.iterdir())


def test_a_finished_set_is_not_written_over(tmp_path: Path) -> None:
    write_set(tmp_path, RECORDS)
    with pytest.raises(ValueError, match="already holds a record set"):
        write_set(tmp_path, RECORDS)


def test_an_id_may_occur_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'a' occurs twice"):
        write_set(tmp_path, [RECORDS[0], RECORDS[0]])


def test_an_empty_set_is_a_set(tmp_path: Path) -> None:
    assert len(write_set(tmp_path, [])) == 0


def test_a_relative_image_root_moves_with_the_set(tmp_path: Path) -> None:
    write_set(tmp_path / "here", RECORDS)
    (tmp_path / "here").rename(tmp_path / "there")
    records = RecordSet.open(tmp_path / "there")
    path = records.image_path(records[0])
    assert path is not None and path.is_file()
    assert records.image_path(records[1]) is None
    moved = RecordSet.open(tmp_path / "there", "/elsewhere")
    assert moved.image_path(records[0]) == Path("/elsewhere/a.png")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"schema": 1, ', "not JSON"),
        ("", "not JSON"),
        ("[1]", "a record is a JSON object"),
        ('{"schema": 7}', "schema 7"),
    ],
)
def test_a_broken_line_is_an_error_that_names_file_and_line(
    tmp_path: Path, text: str, message: str
) -> None:
    write_set(tmp_path, RECORDS)
    edit(tmp_path, 2, text)
    records = RecordSet.open(tmp_path)
    assert records[1] == RECORDS[1]
    with pytest.raises(ValueError, match=rf"{shard(tmp_path).name}:3: {message}"):
        records[2]
    with pytest.raises(ValueError, match=rf"{shard(tmp_path).name}:3: {message}"):
        list(records)
    with pytest.raises(ValueError, match="checksum"):
        records.verify()


def test_a_truncated_shard_is_an_error_that_names_it(tmp_path: Path) -> None:
    write_set(tmp_path, RECORDS)
    path = shard(tmp_path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match=rf"{path.name} has \d+ bytes, set.json says"):
        RecordSet.open(tmp_path)
    description = json.loads((tmp_path / "set.json").read_text())
    description["shards"][0]["bytes"] = path.stat().st_size
    (tmp_path / "set.json").write_text(json.dumps(description))
    with pytest.raises(ValueError, match=rf"{path.name}:4: the last line is cut off"):
        RecordSet.open(tmp_path)


def test_a_missing_shard_is_an_error_that_names_it(tmp_path: Path) -> None:
    write_set(tmp_path, RECORDS)
    shard(tmp_path).unlink()
    with pytest.raises(ValueError, match=r"lists records-00000-of-00001.jsonl, which is not there"):
        RecordSet.open(tmp_path)


def test_a_set_of_another_schema_is_refused(tmp_path: Path) -> None:
    write_set(tmp_path, RECORDS)
    (tmp_path / "set.json").write_text('{"schema": 2}')
    with pytest.raises(ValueError, match="schema 2"):
        RecordSet.open(tmp_path)
    (tmp_path / "set.json").write_text("{")
    with pytest.raises(ValueError, match=r"set.json is not JSON"):
        RecordSet.open(tmp_path)


def start(folder: Path, seed: int = 0) -> RecordWriter:
    return RecordWriter(
        folder, builder="test", seed=seed, image_root=".", records_per_shard=2, resume=True
    )


def write_all(folder: Path, stop_at: int | None = None, seed: int = 0) -> list[str]:
    """Write RECORDS, a checkpoint behind each second one, from where an earlier run stopped."""
    written = []
    with start(folder, seed) as writer:
        for index in range(writer.progress, len(RECORDS)):
            if index == stop_at:
                raise RuntimeError("stop")
            writer.write(RECORDS[index])
            writer.counts["read"] = index + 1
            written.append(RECORDS[index].id)
            if index % 2:
                writer.checkpoint(index + 1)
    return written


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("stop_at", [0, 1, 2, 3])
def test_a_set_that_was_stopped_is_finished_as_if_it_were_not(tmp_path: Path, stop_at: int) -> None:
    write_all(tmp_path / "whole")
    with pytest.raises(RuntimeError, match="stop"):
        write_all(tmp_path / "stopped", stop_at)
    again = write_all(tmp_path / "stopped")
    assert again == [record.id for record in RECORDS[stop_at // 2 * 2 :]]
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


def test_a_stopped_set_of_other_settings_begins_anew(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        write_all(tmp_path, 3)
    assert len(write_all(tmp_path, seed=1)) == len(RECORDS)


def test_a_stopped_set_with_a_damaged_shard_begins_anew(tmp_path: Path) -> None:
    whole = RecordWriter(
        tmp_path, builder="test", seed=0, image_root=".", records_per_shard=1, resume=True
    )
    with pytest.raises(RuntimeError), whole as writer:
        writer.write(RECORDS[0])
        writer.write(RECORDS[1])
        writer.checkpoint(2)
        raise RuntimeError
    (tmp_path / "records-00001.partial").write_bytes(b"")
    again = RecordWriter(
        tmp_path, builder="test", seed=0, image_root=".", records_per_shard=1, resume=True
    )
    with again as writer:
        assert writer.progress == 0
        writer.write(RECORDS[0])
    assert len(RecordSet.open(tmp_path)) == 1


def test_an_id_of_before_the_stop_is_remembered(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        write_all(tmp_path, 3)
    with pytest.raises(ValueError, match="'a' occurs twice"), start(tmp_path) as writer:
        writer.write(RECORDS[0])


def test_a_discarded_set_begins_anew(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), start(tmp_path) as writer:
        writer.write(RECORDS[0])
        writer.checkpoint(1)
        writer.discard()
        raise RuntimeError
    assert not contents(tmp_path)
