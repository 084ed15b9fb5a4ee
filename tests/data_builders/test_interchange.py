from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from golden_files import GOLDENS
from programs_here import run_program
from record_sets import chat_record, draw_image, text_record, write_set

from seal.building.vqa_mixture.interchange import InterchangeConfig, interchange
from seal.data.interchange import AUTHORS_FILES
from seal.data.record_set import RecordSet

SAID = [{"from": "human", "value": "<image>\nWhere?"}, {"from": "gpt", "value": "There."}]


def run(**options: Any) -> int:
    return run_program("data_builders/interchange", *(f"{k}={v}" for k, v in options.items()))


def theirs(folder: Path, name: str, entries: list[dict[str, Any]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(entries))
    return folder


@pytest.mark.goldens("d_batch")
def test_the_six_files_become_sets_and_come_back(tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(GOLDENS / "vqa_data", source)
    assert run(records=source, images=GOLDENS, out=tmp_path / "sets") == 0
    for name in AUTHORS_FILES:
        assert len(RecordSet.open(tmp_path / "sets" / name / "train")) == 1
        assert (tmp_path / "sets" / name / "train" / "report.html").is_file()
    out = tmp_path / "back"
    assert run(records=tmp_path / "sets", to="authors", images=GOLDENS, out=out) == 0
    assert len(list(out.glob("*.json"))) == 6
    for path in source.glob("*.json"):
        assert json.loads((out / path.name).read_text()) == json.loads(path.read_text())


def test_sets_of_ours_survive_the_way_there_and_back(tmp_path: Path) -> None:
    records = [chat_record("a", 2), text_record("b")]
    folder = tmp_path / "images" / "gqa" / "train"
    write_set(folder, records)
    there, back = tmp_path / "there", tmp_path / "back"
    assert run(records=folder, to="authors", images=tmp_path / "images", out=there) == 0
    entries = json.loads((there / "GQA_data.json").read_text())
    assert entries[0]["image"] == "gqa/train/images/a.png"
    assert run(records=there, images=tmp_path / "images", out=back, license="none") == 0
    found = list(RecordSet.open(back / "gqa" / "train"))
    assert [record.targets for record in found] == [record.targets for record in records]
    assert [r.conversations for r in found] == [r.conversations for r in records]
    assert [record.id for record in found] == ["a", "b"]


def test_what_cannot_be_a_record_is_counted_and_past_a_share_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw_image(tmp_path / "a.png")
    (tmp_path / "bad.png").write_text("text")
    outside = [{"name": "x", "bbox": [0, 0, 900, 900]}]
    asked = [{"from": "human", "value": "<image> <object>?"}, SAID[1]]
    entries = [{"image": "a.png", "conversations": SAID}] * 6 + [
        {"image": "none.png", "conversations": SAID},
        {"image": "bad.png", "conversations": SAID},
        {"image": "a.png", "conversations": asked, "target_instances": outside},
        {"image": "a.png"},
    ]
    folder = theirs(tmp_path / "theirs", "negative_data", entries)
    options = {"records": folder, "images": tmp_path, "out": tmp_path / "out"}
    assert run(**options) == 2
    assert "4 of 10 entries are unusable" in capsys.readouterr().err
    assert not (tmp_path / "out" / "negative" / "train" / "set.json").exists()
    assert run(**options, max_dropped=0.5) == 0
    assert "6 records, 4 entries dropped" in capsys.readouterr().out
    counts = RecordSet.open(tmp_path / "out" / "negative" / "train").description["counts"]
    assert counts == {
        "items read": 10,
        "image file missing": 1,
        "image does not decode": 1,
        "entry that breaks a rule of records": 1,
        "entry without 'conversations'": 1,
        "records written": 6,
    }


def test_ids_that_occur_twice_are_told_apart_and_come_back(tmp_path: Path) -> None:
    draw_image(tmp_path / "a.png")
    entries = [{"id": id_, "image": "a.png", "conversations": SAID} for id_ in ("7", "7", 7)]
    folder = theirs(tmp_path / "theirs", "mine", entries)
    config = InterchangeConfig(records=str(folder), images=str(tmp_path), out=str(tmp_path / "o"))
    interchange(config)
    found = RecordSet.open(tmp_path / "o" / "mine" / "train")
    assert [record.id for record in found] == ["7", "7#2", "7#3"]
    out = tmp_path / "back"
    interchange(InterchangeConfig(records=str(tmp_path / "o"), out=str(out), to="authors"))
    written = json.loads(next(out.glob("*.json")).read_text())
    assert [entry["id"] for entry in written] == ["7", "7", 7]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"to": "theirs"}, "to='theirs' is neither"),
        ({}, "to=ours needs images="),
        ({"images": "none"}, "images=none is not a folder"),
        ({"images": ".", "records": "none"}, "records=none: no JSON file"),
        ({"to": "authors", "records": "none"}, "records=none: no record set"),
    ],
)
def test_wrong_use_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: Any, message: str
) -> None:
    assert run(**{"records": tmp_path, "out": tmp_path / "out"} | options) == 2
    assert message in capsys.readouterr().err


def test_images_outside_the_folder_and_two_sets_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_set(tmp_path / name / "gqa" / "train", [text_record("a")])
    (tmp_path / "photos").mkdir()
    out = str(tmp_path / "out")
    with pytest.raises(ValueError, match="would both become"):
        interchange(InterchangeConfig(records=str(tmp_path), to="authors", out=out))
    with pytest.raises(ValueError, match="is not below images="):
        interchange(
            InterchangeConfig(
                records=str(tmp_path / "one"), to="authors", out=out,
                images=str(tmp_path / "photos"),
            )
        )  # fmt: skip
