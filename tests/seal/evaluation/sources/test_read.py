"""Rows of JSON, parquet and the hub: the same cells, and places that can be found again."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from seal.evaluation.sources.hub import HubSource, read_hub, rows_of_dataset
from seal.evaluation.sources.pictures import picture_bytes
from seal.evaluation.sources.read import read_rows

NOT_A_PICTURE = b"\x89PNG not decoded by anyone"


def parquet(path: Path, rows: list[dict[str, Any]], **more: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path, **more)
    return path


def test_lines_and_entries_are_counted_from_one(tmp_path: Path) -> None:
    lines = tmp_path / "a.jsonl"
    lines.write_text('\ufeff{"id": 1, "x": "\u2028"}\r\n\n{"id": 2, "y": null}', encoding="utf-8")
    rows = read_rows(lines)
    assert [row["id"] for row in rows] == [1, 2] and rows.columns == ("id", "x", "y")
    assert rows.where(1) == f"{lines}:3"
    whole = tmp_path / "a.json"
    whole.write_text(json.dumps({"questions": [{"id": 1}, {"id": 2}], "question_type": {}}))
    assert read_rows(whole, under="questions").where(1) == f"{whole}: entry 2"
    with pytest.raises(ValueError, match="lacks the column z; it has id"):
        read_rows(whole, under="questions").need("id", "z")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.jsonl", '{"id": 1}\n\n{"id"', r"a\.jsonl:3 is not JSON"),
        ("a.jsonl", '{"id": 1}\n[1]', r"a\.jsonl:2: expected an object, found a list"),
        ("a.jsonl", "\n \n", "nothing but blanks"),
        ("a.jsonl", "[" * 100_000, r"a\.jsonl:1 is not JSON"),
        ("a.json", '[{"id": 1}, "x"]', r"a\.json: entry 2: expected an object, found a text"),
        ("a.json", "[]", "has no entries"),
        ("a.json", '{"a": []}', "lacks questions"),
        ("a.json", "null", "expected a list, or an object with questions, found null"),
        ("a.json", '[{"id": 1}', r"a\.json is not JSON"),
        ("a.pkl", "x", r"a\.pkl is called \.pkl: expected \.tsv"),
        ("a", "x", "is called without a suffix"),
        ("a.parquet", "PAR1 or so", r"a\.parquet is no parquet file"),
    ],
)
def test_what_is_no_list_of_objects_is_named(
    tmp_path: Path, name: str, text: str, says: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=says) as caught:
        read_rows(tmp_path / name, under="questions")
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="does not exist"):
        read_rows(tmp_path / "none.tsv")


def test_a_folder_of_parquet_files_gives_rows_in_order_and_pictures_undecoded(
    tmp_path: Path,
) -> None:
    for shard in range(2):
        rows = [
            {
                "index": 4 * shard + i,
                "question": f"q{4 * shard + i}",
                "image": {"bytes": NOT_A_PICTURE * 200 + bytes([shard, i]), "path": None},
            }
            for i in range(4)
        ]
        name = f"test-0000{shard}-of-00002.parquet"
        parquet(tmp_path / "data" / name, rows, row_group_size=3)
    parquet(tmp_path / "data" / "val-00000-of-00001.parquet", rows[:1])
    rows = read_rows(tmp_path, split="test")
    assert len(rows) == 8 and [row["index"] for row in rows] == list(range(8))
    for i in (7, 0, 3, 5):
        assert picture_bytes(rows[i]["image"], rows.where(i))[-2:] == bytes([i // 4, i % 4])
    assert rows.where(7) == f"{tmp_path}: row 8"
    with pytest.raises(ValueError, match="has data/test, data/val: expected one of them"):
        read_rows(tmp_path)
    with pytest.raises(ValueError, match="expected train"):
        read_rows(tmp_path, split="train")
    with pytest.raises(IndexError):
        rows[8]


@pytest.mark.parametrize(("first", "batch"), [(0, 8), (0, 16), (4, 8), (3, 6)])
def test_pictures_that_are_read_twice_a_batch_are_read_in_one_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int, batch: int
) -> None:
    content = [{"id": n, "image": bytes([n]) * 3000} for n in range(60)]
    rows = read_rows(parquet(tmp_path / "a.parquet", content))
    passes: list[int] = []
    iter_batches = pq.ParquetFile.iter_batches

    def counted(*args: Any, **more: Any) -> Any:
        passes.append(1)
        return iter_batches(*args, **more)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", counted)
    for start in range(first, 60, batch):
        part = range(start, min(start + batch, 60))
        for index in (*part, *part):  # for their digests, then to be shown
            assert rows[index]["image"] == content[index]["image"]
    assert len(passes) == 1
    assert rows[0]["image"] == content[0]["image"] and len(passes) == 2


def test_a_configuration_is_a_folder(tmp_path: Path) -> None:
    parquet(tmp_path / "en" / "dev-00000-of-00001.parquet", [{"x": 1}])
    parquet(tmp_path / "cn" / "dev-00000-of-00001.parquet", [{"x": 2}])
    parquet(tmp_path / "cn" / "test-00000-of-00001.parquet", [{"x": 3}])
    assert read_rows(tmp_path, config="cn", split="dev")[0]["x"] == 2
    assert read_rows(tmp_path / "en")[0]["x"] == 1
    parquet(tmp_path / "two" / "dev-00000-of-00002.parquet", [{"x": 1}])
    parquet(tmp_path / "two" / "dev-00001-of-00002.parquet", [{"y": 1}])
    with pytest.raises(ValueError, match=r"dev-00001-of-00002\.parquet has the columns y, but dev"):
        read_rows(tmp_path / "two")
    with pytest.raises(ValueError, match="has no parquet files"):
        read_rows(Path(__file__).parent)


def test_rows_of_a_data_set_are_its_table_with_names_of_classes() -> None:
    picture = io.BytesIO()
    Image.new("RGB", (3, 2), "red").save(picture, "PNG")
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "images": datasets.Sequence(datasets.Image()),
            "kind": datasets.ClassLabel(names=["single", "cross"]),
            "options": datasets.Sequence(datasets.Value("string")),
        }
    )
    row = {
        "image": {"bytes": NOT_A_PICTURE, "path": "a.png"},
        "images": [{"bytes": picture.getvalue(), "path": None}],
        "kind": 1,
        "options": ["a", "b"],
    }
    made = datasets.Dataset.from_list([row, row | {"kind": 0}], features=features)
    rows = rows_of_dataset(made, "hub:a/b")
    assert picture_bytes(rows[0]["image"], rows.where(0)) == NOT_A_PICTURE
    assert picture_bytes(rows[1]["images"][0], rows.where(1)) == picture.getvalue()
    assert [row["kind"] for row in rows] == ["cross", "single"]
    assert rows[0]["options"] == ["a", "b"] and rows.where(1) == "hub:a/b: row 2"


def test_the_form_of_a_hub_source_is_read_and_completed() -> None:
    assert HubSource.parse("hub:a/b-c.d@v1:en:dev") == HubSource("a/b-c.d", "v1", "en", "dev")
    assert HubSource.parse("hub:a/b::dev") == HubSource("a/b", None, None, "dev")
    for text in ("hub:a/b@main", "hub:a/b::dev", "hub:a/b:en", "hub:a/b:en:dev", "hub:a/b"):
        assert str(HubSource.parse(text)) == text
    usual = "a/b:en:dev"
    assert HubSource.parse("hub:a/b").completed(usual) == HubSource("a/b", None, "en", "dev")
    assert HubSource.parse("hub:a/b:cn").completed(usual) == HubSource("a/b", None, "cn", None)
    assert HubSource.parse("hub:x/b").completed(usual) == HubSource("x/b")
    for text in ("hub:b", "hub:a/b:c:d:e", "hub:", "hub:a/b@", "hub:a/../b"):
        with pytest.raises(ValueError, match="is not of the form hub:OWNER/NAME"):
            HubSource.parse(text)


def test_a_data_set_that_cannot_be_had_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        ValueError, match=r"hub:no/such@v1 cannot be read: .*name a data set"
    ) as told:
        read_hub(HubSource.parse("hub:no/such@v1"))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "image holds nothing: expected a picture"),
        ("", "image holds nothing"),
        ("not base64!", "image='not base64!' is no base64"),
        ("AAAAA", "image='AAAAA' is no base64"),
        (3.5, "image holds 3.5"),
        ({"bytes": None, "path": "gone.png"}, "image names 'gone.png', which is not here"),
    ],
)
def test_a_cell_without_a_picture_is_named(value: Any, says: str) -> None:
    with pytest.raises(ValueError, match=rf"t\.tsv:3: {says}"):
        picture_bytes(value, "t.tsv:3")


def test_base64_is_read_with_line_breaks_and_as_an_address(tmp_path: Path) -> None:
    assert picture_bytes("aGVs\nbG8=", "t") == b"hello"
    assert picture_bytes("data:image/png;base64,aGVsbG8=", "t") == b"hello"
    (tmp_path / "a.png").write_bytes(b"x")
    assert picture_bytes({"bytes": None, "path": str(tmp_path / "a.png")}, "t") == b"x"
