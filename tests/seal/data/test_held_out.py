from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from record_sets import text_record, tiny_tokenizer, write_set

from seal.batch import Row, Sample
from seal.data.chat import ChatConfig
from seal.data.held_out import hold_out
from seal.data.mixture import MixtureConfig, SourceConfig
from seal.text.tokens import VisualSizes


class Numbers:
    """Item i is called i, is i + 1 long, and carries one draw."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        ids = torch.full((index + 1,), int(rng.integers(1 << 40)))
        return Sample(str(index), (Row(ids, ids),))

    def length(self, index: int, rng: np.random.Generator) -> int:
        return index + 1


def names(source) -> list[str]:
    return [source.sample(i, np.random.default_rng(0)).id for i in range(len(source))]


@given(size=st.integers(2, 60), share=st.floats(0, 0.5), seed=st.integers(0, 5))
def test_every_item_is_in_exactly_one_part(size: int, share: float, seed: int) -> None:
    count = int(share * size)
    train, held = hold_out(Numbers(size), count, "a", seed=seed)
    assert len(held) == count
    assert sorted([*names(train), *names(held)]) == sorted(names(Numbers(size)))
    again, same = hold_out(Numbers(size), count, "a", seed=seed)
    assert (names(again), names(same)) == (names(train), names(held))


def test_an_item_is_what_it_is_in_the_source_draw_and_length_included() -> None:
    source = Numbers(40)
    _, held = hold_out(source, 12, "a")
    for index in range(12):
        sample = held.sample(index, np.random.default_rng(9))
        same = source.sample(int(sample.id), np.random.default_rng(9))
        assert torch.equal(sample.rows[0].input_ids, same.rows[0].input_ids)
        assert held.length(index, np.random.default_rng(9)) == len(sample.rows[0].input_ids)


@pytest.mark.parametrize("count", [4, 100])
def test_more_than_half_of_a_source_is_refused_by_name(count: int) -> None:
    with pytest.raises(ValueError, match=rf"held_out={count}: source 'gqa' has 7 .*at most 3"):
        hold_out(Numbers(7), count, "gqa")


@pytest.mark.parametrize("sampling", ["epoch", "weighted"])
def test_a_mixture_never_draws_what_its_validation_reads(tmp_path: Path, sampling: str) -> None:
    for name in ("a", "b"):
        write_set(tmp_path / name, [text_record(f"{name}{i}") for i in range(9)])
    config = MixtureConfig(
        sources={"one": SourceConfig(folder="a", repeat=2), "two": SourceConfig(folder="b")},
        sampling=sampling,
        held_out=3,
    )

    tokenizer = tiny_tokenizer(tmp_path / "tokenizer")

    def make(records):
        sizes = VisualSizes(4, 2)
        return ChatConfig().build(records, tokenizer, image_size=28, sizes=sizes)

    train = config.build(make, root=tmp_path, seed=1)
    held = config.build_held_out(make, root=tmp_path, seed=0)
    assert held is not None and len(held) == 6 and len(train) == 2 * 6 + 6
    read = {held[i].id for i in range(6)}
    assert len(read) == 6 and {held[i].source for i in range(6)} == {"one", "two"}
    drawn = {train[i].id for i in range(200)}
    assert len(drawn) == 12 and not drawn & read
    other = config.build(make, root=tmp_path, seed=2)  # of another run: the same are held out
    assert {other[i].id for i in range(200)} == drawn


def test_nothing_is_held_out_unasked(tmp_path: Path) -> None:
    assert MixtureConfig(sources={"a": SourceConfig(folder="a")}).build_held_out(
        lambda records: Numbers(3), root=tmp_path, seed=0
    ) is None  # fmt: skip
