"""`datasets` gives the rows; a repository laid out on the disk stands for one of the hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pytest
from option_lines import table

from seal.evaluation.sources.hub import HubSource, read_hub
from seal.evaluation.sources.pictures import picture_bytes


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of owner/name, which `datasets` takes before it asks the hub."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner" / "name" / "data").mkdir(parents=True)
    return tmp_path / "owner" / "name"


def parquet(path: Path, texts: list[str]) -> None:
    features = datasets.Features({"text": datasets.Value("string"), "image": datasets.Image()})
    rows: list[dict[str, Any]] = [
        {"text": text, "image": {"bytes": f"no picture {text}".encode(), "path": None}}
        for text in texts
    ]
    datasets.Dataset.from_list(rows, features=features).to_parquet(path)


def test_a_split_is_read_and_its_pictures_are_not_decoded(hub: Path) -> None:
    parquet(hub / "data" / "test-00000-of-00001.parquet", ["a", "b"])
    rows = read_hub(HubSource.parse("hub:owner/name"))
    assert [row["text"] for row in rows] == ["a", "b"]
    assert picture_bytes(rows[1]["image"], rows.where(1)) == b"no picture b"
    assert rows.where(1) == "hub:owner/name: row 2" and rows.columns == ("text", "image")


def test_of_several_splits_one_is_named(hub: Path) -> None:
    for split in ("dev", "test"):
        parquet(hub / "data" / f"{split}-00000-of-00001.parquet", [split])
    assert read_hub(HubSource.parse("hub:owner/name::test"))[0]["text"] == "test"
    usual = HubSource.parse("hub:owner/name").completed("owner/name::dev")
    assert read_hub(usual)[0]["text"] == "dev"
    with pytest.raises(
        ValueError, match=r"has the splits dev, test: name one, as in hub:owner/name::dev"
    ):
        read_hub(HubSource.parse("hub:owner/name"))
    with pytest.raises(ValueError, match=r"hub:owner/name::train cannot be read: .*train"):
        read_hub(HubSource.parse("hub:owner/name::train"))


def test_a_table_of_text_is_a_data_set_too(hub: Path) -> None:
    table(hub / "all.tsv", ["index", "question", "hint"], [[7, "a\tb", None], [8, "c", "d"]])
    rows = read_hub(HubSource.parse("hub:owner/name"))
    assert [dict(row) for row in rows] == [
        {"index": 7, "question": "a\tb", "hint": None},
        {"index": 8, "question": "c", "hint": "d"},
    ]


def test_a_data_set_that_is_a_script_is_not_run(hub: Path) -> None:
    (hub / "name.py").write_text("raise SystemExit('it was run')")
    with pytest.raises(ValueError, match="hub:owner/name cannot be read: ") as told:
        read_hub(HubSource.parse("hub:owner/name"))
    assert "\n" not in str(told.value)
