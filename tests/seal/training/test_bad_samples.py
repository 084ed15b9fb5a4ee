"""A counted number of images that cannot be read is named, replaced and survived."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from tiny_training import TinySamples, tiny_engine, tiny_fit, tiny_train
from torch.utils.data import DataLoader
from two_processes import curve

from seal.batch import Sample
from seal.images import open_image
from seal.training.bad_samples import BAD_SAMPLES, Substituting


class SomeBad(TinySamples):
    """Some records of the 64 have an image whose file is gone; the stream is endless."""

    def __init__(self, bad: Sequence[int]) -> None:
        super().__init__()
        self.bad = bad

    def __getitem__(self, index: int) -> Sample:
        record = index % len(self)
        if record in self.bad:
            try:
                open_image(f"/nowhere/{record}.jpg")
            except ValueError as error:  # as the data sets do
                raise ValueError(f"set.jsonl:{record}: {error}") from error
        return super().__getitem__(record)


def read(samples: Substituting, workers: int) -> list[list[str]]:
    loader = DataLoader(
        samples, batch_sampler=[[0, 1, 2], [3, 4, 5]], num_workers=workers,
        collate_fn=lambda batch: [sample.id for sample in batch],
    )  # fmt: skip
    return list(loader)


def test_the_next_readable_sample_stands_in_on_any_number_of_workers():
    samples = Substituting(SomeBad([2, 3]), most=2)
    expected = [["sample-0", "sample-1", "sample-4"], ["sample-4", "sample-4", "sample-5"]]
    assert read(samples, 0) == read(samples, 2) == expected
    assert samples[2].replaced[0].startswith("set.jsonl:2: /nowhere/2.jpg: does not exist")
    assert len(samples[2].replaced) == 2 and samples[4].replaced == ()


def test_more_in_a_row_than_are_allowed_and_any_other_error_are_raised():
    with pytest.raises(ValueError, match=r"set\.jsonl:4: "):
        Substituting(SomeBad([2, 3, 4]), most=2)[2]

    class Wrong(TinySamples):
        def __getitem__(self, index: int) -> Sample:
            raise ValueError("the labels do not line up")

    with pytest.raises(ValueError, match="line up"):
        Substituting(Wrong(), most=2)[0]


def test_they_are_named_counted_once_and_the_count_survives_a_stop(world, tmp_path, capfd):
    """64 records, 8 a step: the second epoch begins with the ninth step."""
    bad = SomeBad([3, 20])
    train = dict(num_steps=12, save_every=4, max_bad_samples=2)
    tiny_fit(tiny_engine(world, tiny_train(**train)), tmp_path / "whole", bad)
    said = capfd.readouterr().err
    assert "step 1: replaced by the next sample (1 of train.max_bad_samples=2): set.jsonl:3" in said
    assert (
        "step 3: replaced by the next sample (2 of train.max_bad_samples=2): set.jsonl:20" in said
    )
    assert said.count("replaced by") == 2  # not again in the second epoch

    stopped = tmp_path / "stopped"
    tiny_fit(tiny_engine(world, tiny_train(**train, stop_after=2)), stopped, bad)
    tiny_fit(tiny_engine(world, tiny_train(**train, workers=1)), stopped, bad)
    assert curve(stopped) == curve(tmp_path / "whole")
    lines = [json.loads(line) for line in (stopped / BAD_SAMPLES).open()]
    assert [line["step"] for line in lines] == [1, 3]
    assert (stopped / BAD_SAMPLES).read_bytes() == (tmp_path / "whole" / BAD_SAMPLES).read_bytes()


def test_one_too_many_stops_the_run_with_all_names_and_more_may_be_allowed_then(world, tmp_path):
    bad = SomeBad([3, 20, 30])
    train = dict(num_steps=6, save_every=2, max_bad_samples=2)
    tiny_fit(tiny_engine(world, tiny_train(**train, stop_after=2)), tmp_path, bad)
    with pytest.raises(ValueError) as error:
        tiny_fit(tiny_engine(world, tiny_train(**train)), tmp_path, bad)
    message = str(error.value)
    assert message.startswith("3 of train.max_bad_samples=2 samples cannot be read")
    assert all(f"/nowhere/{number}.jpg" in message for number in (3, 20, 30))
    tiny_fit(tiny_engine(world, tiny_train(**train | {"max_bad_samples": 3})), tmp_path, bad)
    assert [line["step"] for line in curve(tmp_path)] == [1, 2, 3, 4, 5, 6]


def test_without_an_allowance_the_first_ends_the_run(world, tmp_path):
    with pytest.raises(ValueError, match=r"set\.jsonl:3: /nowhere/3\.jpg"):
        tiny_fit(tiny_engine(world, tiny_train()), tmp_path, SomeBad([3]))
