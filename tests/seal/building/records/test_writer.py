from __future__ import annotations

import json
import multiprocessing
import os
import time
from concurrent.futures import BrokenExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from coco_files import annotation, write_coco
from record_sets import text_record

from seal.building.coco.detection import CocoBuildConfig, build_coco
from seal.building.formats.image_lookup import Unusable
from seal.building.records import writer
from seal.building.records.writer import BuildConfig, Outcome, build_set
from seal.data.record_set import RecordSet, RecordWriter


def config(folder: Path, **settings: Any) -> BuildConfig:
    values = {"annotations": "a", "images": str(folder), "out": str(folder / "out")}
    return BuildConfig(**(values | settings))


def make(item: int) -> Outcome:
    if item % 3 == 2:
        return Outcome(counts={"a third": 1})
    return Outcome([text_record(f"r{item}")])


def build(settings: BuildConfig, make: Any = make) -> RecordSet:
    return build_set(settings, make, 20, builder="test", settings={}, counts={"before": 4})


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_records_stand_in_the_order_of_their_items(tmp_path: Path) -> None:
    records = build(config(tmp_path, records_per_shard=3))
    assert [r.id for r in records] == [f"r{i}" for i in range(20) if i % 3 != 2]
    assert records.description["counts"] == {
        "items read": 20,
        "before": 4,
        "a third": 6,
        "records written": 14,
    }


def test_the_set_does_not_depend_on_the_workers(tmp_path: Path) -> None:
    path = write_coco(tmp_path, [annotation(i, 1 + i % 5, [10, 5, 9, 9]) for i in range(30)], 30)
    built = []
    for workers in (0, 3):
        out = tmp_path / str(workers) / "set"
        build_coco(
            CocoBuildConfig(
                annotations=str(path),
                images=str(tmp_path),
                out=str(out),
                workers=workers,
                records_per_shard=7,
            )
        )
        built.append(contents(out))
    assert built[0] == built[1]
    other = CocoBuildConfig(
        annotations=str(path), images=str(tmp_path), out=str(tmp_path / "other"), seed=1
    )
    build_coco(other)
    drawn = [
        [[e.text for e in record.expressions] for record in RecordSet.open(folder)]
        for folder in (tmp_path / "0" / "set", tmp_path / "other")
    ]
    assert drawn[0] != drawn[1]


def test_a_limit_reads_the_first_items(tmp_path: Path) -> None:
    assert [r.id for r in build(config(tmp_path, limit=5))] == ["r0", "r1", "r3", "r4"]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_set_ends_with_its_last_wanted_record(
    tmp_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_WINDOW", 4)
    records = build(config(tmp_path, max_records=4, workers=workers))
    assert [r.id for r in records] == ["r0", "r1", "r3", "r4"]
    assert records.description["settings"] == {"max_records": 4}
    assert records.description["counts"] == {
        "items read": 8,
        "before": 4,
        "a third": 2,
        "records beyond max_records": 2,
        "records written": 4,
    }


@pytest.mark.parametrize("stop_at", [0, 3, 4, 19])
def test_a_stopped_build_goes_on_where_it_was(
    tmp_path: Path, stop_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_CHECKPOINT_EVERY", 4)
    monkeypatch.setattr(writer, "_WINDOW", 2)
    seen: list[int] = []

    def stopping(item: int) -> Outcome:
        if item == stop_at:
            raise RuntimeError("power cut")
        return make(item)

    def watching(item: int) -> Outcome:
        seen.append(item)
        return make(item)

    build(config(tmp_path / "whole", images="i", records_per_shard=3))
    stopped = config(tmp_path / "stopped", images="i", records_per_shard=3)
    with pytest.raises(RuntimeError, match="power cut"):
        build(stopped, stopping)
    build(stopped, watching)
    assert seen == list(range(stop_at // 4 * 4, 20))
    assert contents(Path(stopped.out)) == contents(tmp_path / "whole" / "out")


def test_a_stopped_build_of_other_settings_is_said_to_begin_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(writer, "_CHECKPOINT_EVERY", 4)
    monkeypatch.setattr(writer, "_WINDOW", 2)

    def stopping(item: int) -> Outcome:
        if item == 9:
            raise RuntimeError("power cut")
        return make(item)

    with pytest.raises(RuntimeError, match="power cut"):
        build(config(tmp_path), stopping)
    capsys.readouterr()
    assert len(build(config(tmp_path, seed=3))) == 14
    assert (
        "made with other settings (seed=3, not 0); this one begins anew" in capsys.readouterr().err
    )


def test_an_error_of_a_worker_reaches_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="item 7 is broken"):
        build(config(tmp_path, workers=2), broken)


def test_fast_workers_wait_for_what_is_written(tmp_path: Path) -> None:
    made = tmp_path / "made"
    outcomes = writer._outcomes(Marking(made), range(3000), 2)
    next(outcomes)
    time.sleep(0.5)  # time enough for all of them
    ahead = made.stat().st_size
    assert ahead <= (2 * writer._AHEAD + 1) * writer._CHUNK < 3000
    outcomes.close()


class Marking:
    """Adds a byte to a file for every item that is made."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, item: int) -> Outcome:
        with self.path.open("ab") as file:
            file.write(b".")
        return Outcome()


def test_a_worker_that_dies_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BrokenExecutor):
        build(config(tmp_path, workers=2), dying)


def dying(item: int) -> Outcome:
    if item == 7:
        os._exit(9)
    return make(item)


def broken(item: int) -> Outcome:
    if item == 7:
        raise ValueError("item 7 is broken")
    return make(item)


def test_a_build_without_records_says_what_became_of_its_items(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"20 items gave no record: .*'nothing': 20"):
        build(config(tmp_path), lambda item: Outcome(counts={"nothing": 1}))


@pytest.mark.parametrize(
    "wrong",
    [{"limit": 0}, {"seed": -1}, {"workers": -1}, {"max_corrupt": -1.0}, {"report_samples": -1}],
)
def test_a_wrong_config_names_the_field(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        config(tmp_path, **wrong)


def losing(item: int) -> Outcome:
    if item % 4 == 3:
        return Outcome(counts={Unusable("image file missing", f"{item}.jpg below photos"): 1})
    return make(item)


@pytest.mark.parametrize("workers", [0, 2])
def test_what_was_dropped_is_told_on_the_terminal_with_examples(
    tmp_path: Path, workers: int, capsys: pytest.CaptureFixture[str]
) -> None:
    records = build(config(tmp_path, max_dropped=0.25, workers=workers), losing)
    told = capsys.readouterr().err
    assert "test: 20 items read, 10 records\n" in told
    places = "3.jpg below photos; 7.jpg below photos; 11.jpg below photos; ..."
    assert f"         5 image file missing ({places})\n" in told
    assert "         5 a third\n" in told and "         4 before\n" in told
    assert records.description["examples"] == {"image file missing": places.split("; ")[:3]}


@pytest.mark.parametrize("workers", [0, 2])
def test_mass_loss_is_an_error_that_names_what_was_looked_for(tmp_path: Path, workers: int) -> None:
    settings = config(tmp_path, max_dropped=0.24, workers=workers)
    with pytest.raises(
        ValueError, match=r"5 of 20 items are lost, more than max_dropped=0.24"
    ) as e:
        build(settings, losing)
    assert "5 for: image file missing (3.jpg below photos; 7.jpg below photos;" in str(e.value)
    assert "\n" not in str(e.value) and not list(Path(settings.out).iterdir())


def test_what_a_source_does_not_hold_is_no_loss(tmp_path: Path) -> None:
    assert len(build(config(tmp_path, max_dropped=0))) == 14


@pytest.mark.parametrize("name", ["out", "images"])
def test_an_empty_path_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}= is empty; is a variable of the shell not set"):
        config(tmp_path, **{name: " "})


def test_a_file_is_no_folder_for_a_set(tmp_path: Path) -> None:
    (tmp_path / "set.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"out=.*set\.txt is a file; name a folder"):
        config(tmp_path, out=str(tmp_path / "set.txt"))


def test_the_share_of_losses_is_of_what_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_WINDOW", 4)
    with pytest.raises(ValueError, match=r"2 of 8 items are lost, more than max_dropped=0\.2"):
        build(config(tmp_path, max_records=3), losing)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_interrupted_build_ends_its_workers_and_goes_on_afterwards(
    tmp_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_CHECKPOINT_EVERY", 4)
    monkeypatch.setattr(writer, "_WINDOW", 4)
    write_line = RecordWriter.write_line

    def interrupted(self: RecordWriter, id: str, line: bytes, contents: dict[str, int]) -> None:
        if id == "r12":
            raise KeyboardInterrupt
        write_line(self, id, line, contents)

    settings = config(tmp_path, images="i", workers=workers)
    with monkeypatch.context() as patch:
        patch.setattr(RecordWriter, "write_line", interrupted)
        with pytest.raises(KeyboardInterrupt):
            build(settings)
    assert not multiprocessing.active_children()
    assert json.loads((tmp_path / "out/progress.partial").read_text())["saved"]["progress"] == 12
    build(settings)
    build(config(tmp_path / "whole", images="i"))
    assert contents(tmp_path / "out") == contents(tmp_path / "whole/out")


def test_a_source_that_changed_is_begun_anew_even_at_the_same_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(writer, "_CHECKPOINT_EVERY", 4)
    monkeypatch.setattr(writer, "_WINDOW", 2)
    things = [annotation(i, 1 + i % 5, [10, 5, 9, 9]) for i in range(20)]
    path = write_coco(tmp_path, things, 20)
    before = path.read_bytes()
    settings = CocoBuildConfig(
        annotations=str(path), images=str(tmp_path), out=str(tmp_path / "out"), num_absent=0
    )
    with monkeypatch.context() as patch:
        patch.setattr(RecordWriter, "close", lambda self: os.kill(0, "no"))  # dies at the end
        with pytest.raises(TypeError):
            build_coco(settings)
    path.write_bytes(before.replace(b'"dog"', b'"cow"'))
    assert len(path.read_bytes()) == len(before)
    build_coco(settings)
    told = capsys.readouterr().err
    assert "(settings.annotations has other content); this one begins anew" in told
    whole = replace(settings, out=str(tmp_path / "again" / "out"))
    build_coco(whole)
    assert contents(Path(whole.out)) == contents(tmp_path / "out")
