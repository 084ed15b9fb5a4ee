"""Lengths come from an index that is made once, and equal those of the samples themselves."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from record_sets import chat_record, text_record, tiny_tokenizer, write_set

from seal.data.chat import ChatConfig, ChatDataset
from seal.data.collate import collate
from seal.data.length_index import LengthIndex
from seal.data.record_set import RecordSet
from seal.images.tiles import TilesConfig
from seal.text.tokens import VisualSizes
from seal.training import length_indices
from seal.training.length_indices import indexed


class Pieces:
    """A data set of given pieces, which counts how often it is asked."""

    index = None

    def __init__(self, pieces: list[list[int]]) -> None:
        self.all, self.asked = pieces, 0

    def __len__(self) -> int:
        return len(self.all)

    def pieces(self, index: int) -> list[int]:
        self.asked += 1
        return self.all[index]


@pytest.mark.parametrize("count", [1, 3, 1200])
def test_every_record_has_its_pieces_after_a_way_over_the_disk(tmp_path: Path, count: int) -> None:
    rng = np.random.default_rng(0)
    pieces = [rng.integers(0, 500, rng.integers(0, 5)).tolist() for _ in range(count)]
    LengthIndex.measure(Pieces(pieces)).write(tmp_path / "deep" / "index.npz", "key")
    index = LengthIndex.read(tmp_path / "deep" / "index.npz", "key")
    assert index is not None and len(index) == count
    assert [index[number] for number in range(count)] == pieces
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["index.npz"]


def test_worker_processes_measure_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seal.data.length_index._FEW", 10)
    pieces = [[number, number + 1] for number in range(1500)]
    index = LengthIndex.measure(Pieces(pieces), workers=2)
    assert [index[number] for number in range(1500)] == pieces


def test_an_index_of_something_else_or_cut_off_is_none(tmp_path: Path) -> None:
    path = tmp_path / "index.npz"
    assert LengthIndex.read(path, "key") is None
    LengthIndex.measure(Pieces([[1], [2, 3]])).write(path, "key")
    assert LengthIndex.read(path, "another") is None
    whole = path.read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert LengthIndex.read(path, "key") is None


def test_a_run_measures_its_records_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_set(tmp_path / "set", [text_record("x"), text_record("longer name")])
    tokenizer = tiny_tokenizer(tmp_path / "tokenizer")

    def make(records: RecordSet) -> ChatDataset:
        return ChatConfig().build(records, tokenizer, image_size=14, sizes=VisualSizes(4, 2))

    folder = tmp_path / "lengths"
    records = RecordSet.open(tmp_path / "set")
    first = indexed(make, folder, tokenizer, 0)(records)
    rng = np.random.default_rng(0)
    for number in range(len(first)):
        assert first.length(number, rng) == len(first[number].rows[0].input_ids)
    assert len(list(folder.iterdir())) == 1

    def never(*args: object, **kwargs: object) -> LengthIndex:
        raise AssertionError("measured again")

    monkeypatch.setattr(length_indices.LengthIndex, "measure", never)
    again = indexed(make, folder, tokenizer, 0)(records)
    assert again.index is not None and again.index[1] == first.index[1]

    def shorter(records: RecordSet) -> ChatDataset:
        config = ChatConfig(max_text_tokens=2000)
        return config.build(records, tokenizer, image_size=14, sizes=VisualSizes(4, 2))

    with pytest.raises(AssertionError, match="measured again"):
        indexed(shorter, folder, tokenizer, 0)(records)  # other settings, other lengths


@pytest.mark.parametrize("rows", ["granularity", "router"])
def test_a_record_at_levels_is_as_long_as_all_of_its_rows(tmp_path: Path, rows: str) -> None:
    write_set(tmp_path / "set", [chat_record("x", 2), text_record("y"), chat_record("z", 0)])
    tokenizer = tiny_tokenizer(tmp_path / "tokenizer")

    def make(records: RecordSet, unpad: str = "tile", size: int = 28) -> ChatDataset:
        return ChatConfig(token_policy="router").build(
            records, tokenizer, image_size=size, sizes=VisualSizes(16, 0), rows=rows,
            levels=(1, 2, 4, 8, 16), tiles=TilesConfig(unpad=unpad),
        )  # fmt: skip

    records = RecordSet.open(tmp_path / "set")
    data = indexed(make, tmp_path / "lengths", tokenizer, 0)(records)
    for number in range(len(data)):
        batch = collate([data.sample(number, np.random.default_rng(7))], pad_id=0, pack=True)
        told = data.length(number, np.random.default_rng(0))
        assert told == sum(document.length for document in batch.documents)
        assert told == int(batch.attention_mask.sum())
    released = indexed(partial(make, unpad="as_released"), tmp_path / "lengths", tokenizer, 0)
    assert released(records).index is not data.index
    larger = indexed(partial(make, size=56), tmp_path / "lengths", tokenizer, 0)
    assert larger(records).index is not data.index  # a picture is cut on another grid
    assert len(list((tmp_path / "lengths").iterdir())) == 3
