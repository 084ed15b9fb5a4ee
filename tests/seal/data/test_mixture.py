from __future__ import annotations

import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from record_sets import text_record, tiny_tokenizer, write_set

from seal.batch import Row, Sample
from seal.data.chat import ChatConfig
from seal.data.collate import collate
from seal.data.mixture import Mixture, MixtureConfig, SourceConfig
from seal.text.tokens import VisualSizes


class Numbers:
    """Item i of source `name` is called `name-i` and carries one draw; lengths are given."""

    def __init__(self, name: str, lengths: list[int]) -> None:
        self.name, self.lengths = name, lengths

    def __len__(self) -> int:
        return len(self.lengths)

    def length(self, index: int, rng: np.random.Generator) -> int:
        return self.lengths[index]

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        ids = torch.zeros(self.lengths[index], dtype=torch.int64)
        ids[0] = int(rng.integers(1 << 40))
        return Sample(f"{self.name}-{index}", (Row(ids, ids),))


A, B = Numbers("a", [3, 1, 2, 5, 4]), Numbers("b", [9, 7, 8])


def ids(mixture: Mixture, indices: range) -> list[str]:
    return [mixture[i].id for i in indices]


def draws(mixture: Mixture, indices: range) -> list[int]:
    return [int(mixture[i].rows[0].input_ids[0]) for i in indices]


def test_every_epoch_reads_every_record_as_often_as_said() -> None:
    mixture = Mixture([A, B], repeats=[1, 2], seed=3)
    assert len(mixture) == 5 + 6
    epochs = [ids(mixture, range(11 * epoch, 11 * (epoch + 1))) for epoch in range(4)]
    for epoch in epochs:
        assert Counter(epoch) == {f"a-{i}": 1 for i in range(5)} | {f"b-{i}": 2 for i in range(3)}
    assert len({tuple(epoch) for epoch in epochs}) == 4


@pytest.mark.parametrize("shares", [None, [0.5, 0.5]])
def test_an_item_depends_on_seed_and_index_alone(shares: list[float] | None) -> None:
    def make(seed: int = 5) -> Mixture:
        return Mixture([A, B], shares=shares, seed=seed)

    there, back = make(), make()
    forward = [(there[i].id, draws(there, range(i, i + 1))) for i in range(40)]
    backward = [(back[i].id, draws(back, range(i, i + 1))) for i in reversed(range(40))]
    assert forward == backward[::-1]
    copy = pickle.loads(pickle.dumps(there))  # what a loader's worker gets
    assert ids(copy, range(40)) == [name for name, _ in forward]
    other = make(6)
    assert ids(other, range(40)) != [name for name, _ in forward]
    assert draws(there, range(40)) != draws(other, range(40))


def test_draws_inside_an_item_differ_from_item_to_item() -> None:
    values = draws(Mixture([A, B], shares=[0.3, 0.7]), range(60))
    assert len(set(values)) == 60


def test_weighted_sampling_holds_its_shares() -> None:
    mixture = Mixture([A, B], shares=[0.8, 0.2], seed=1)
    counts = Counter(name[0] for name in ids(mixture, range(2000)))
    assert abs(counts["a"] / 2000 - 0.8) < 0.03
    assert len(set(ids(mixture, range(300)))) == 8


def test_a_source_with_share_zero_is_never_read() -> None:
    assert set(ids(Mixture([A, B], shares=[0.0, 1.0]), range(50))) == {"b-0", "b-1", "b-2"}


@pytest.mark.parametrize("shares", [None, [0.5, 0.5]])
def test_the_length_of_an_item_is_that_of_the_sample_read_there(
    shares: list[float] | None,
) -> None:
    mixture = Mixture([A, B], shares=shares, seed=4)
    for index in range(20):
        assert mixture.length(index) == len(mixture[index].rows[0].input_ids)


def test_the_stream_starts_at_zero() -> None:
    with pytest.raises(IndexError):
        Mixture([A])[-1]


@pytest.mark.parametrize("shares", [None, [0.5, 0.5]])
def test_a_mixture_without_records_is_refused(shares: list[float] | None) -> None:
    with pytest.raises(ValueError, match="needs records"):
        Mixture([Numbers("x", []), Numbers("y", [])], shares=shares)


def source(**changes: object) -> SourceConfig:
    return SourceConfig(**({"folder": "f"} | changes))  # type: ignore[arg-type]


def test_group_weights_are_split_by_the_weights_inside() -> None:
    config = MixtureConfig(
        sampling="weighted",
        groups={"detection": 15, "referring": 4, "vqa": 15},
        sources={
            "objects365": source(group="detection", weight=2),
            "stuff": source(group="detection"),
            "paco": source(group="detection"),
            "refcoco": source(group="referring"),
            "places": source(group="vqa", weight=2),
            "llava": source(group="vqa"),
        },
    )
    expected = [7.5, 3.75, 3.75, 4, 10, 5]
    assert config.shares() == pytest.approx([share / 34 for share in expected])


def test_without_groups_weights_stand_alone() -> None:
    config = MixtureConfig(sources={"a": source(weight=3), "b": source(weight=1)})
    assert config.shares() == [0.75, 0.25]


def test_a_config_opens_its_record_sets(tmp_path: Path) -> None:
    write_set(tmp_path / "one", [text_record("x"), text_record("y")])
    write_set(tmp_path / "two", [text_record("z")])
    tokenizer = tiny_tokenizer(tmp_path / "tokenizer")
    config = MixtureConfig(
        sources={"one": source(folder="one"), "two": source(folder="two", repeat=3)}
    )
    mixture = config.build(
        lambda records: ChatConfig().build(
            records, tokenizer, image_size=14, sizes=VisualSizes(4, 2)
        ),
        root=tmp_path,
        seed=0,
    )
    assert Counter(ids(mixture, range(5))) == {"x": 1, "y": 1, "z": 3}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sources": {}}, "at least one source"),
        ({"sampling": "random"}, "sampling='random'"),
        ({"groups": {"x": 1.0}}, "source 'a' is in group ''"),
        ({"sources": {"a": source(group="y")}}, "in group 'y'"),
    ],
)
def test_a_wrong_mixture_is_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MixtureConfig(**({"sources": {"a": source()}} | wrong))  # type: ignore[arg-type]


def test_wrong_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="weight=-1"):
        source(weight=-1.0)
    with pytest.raises(ValueError, match=r"groups \['y'\] have no source"):
        MixtureConfig(sources={"a": source(group="x")}, groups={"x": 1, "y": 1})
    with pytest.raises(ValueError, match="must not all be 0"):
        MixtureConfig(sources={"a": source(weight=0.0)}).shares()


def test_every_sample_and_every_row_of_a_batch_says_which_source_it_is_from() -> None:
    mixture = Mixture([A, B], names=["first", "second"], seed=3)
    samples = [mixture[i] for i in range(8)]
    assert {(s.id[0], s.source) for s in samples} == {("a", "first"), ("b", "second")}
    batch = collate(samples, pad_id=0)
    assert batch.sources == [sample.source for sample in samples]
    assert batch.to("cpu").sources == batch.sources
