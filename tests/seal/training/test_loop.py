from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_training import (
    TinySamples,
    tiny_collate,
    tiny_config,
    tiny_engine,
    tiny_fit,
    tiny_train,
)
from warm import run
from whole_checkpoints import whole_tensor

from seal.training.checkpoint import read_step, read_weights
from seal.training.checkpoint_store import find_checkpoint
from seal.training.log import read_metrics
from seal.training.loop import fit
from seal.training.step import optimizer_step

PROGRAM = Path(__file__).parents[2] / "tiny_training.py"
TIMES = {"seconds_per_step", "tokens_per_second", "samples_per_second", "data_wait"}
TIMES |= {"peak_memory_gib"}


def curve(folder: Path) -> list[dict[str, float]]:
    """What was logged, less what a clock says."""
    lines = read_metrics(folder / "metrics.jsonl")
    timed = TIMES | {"save_seconds"}
    return [{key: value for key, value in line.items() if key not in timed} for line in lines]


def test_the_loss_falls_and_every_number_is_logged(world, tmp_path):
    engine = tiny_engine(world, tiny_train(num_steps=30, save_every=30))
    tiny_fit(engine, tmp_path)
    lines = read_metrics(tmp_path / "metrics.jsonl")
    assert [line["step"] for line in lines] == list(range(1, 31))
    assert lines[-1]["loss"] < lines[0]["loss"] - 0.1
    assert lines[0]["loss"] == pytest.approx(lines[0]["loss/ce"] + lines[0]["loss/size"])
    assert lines[0]["lr"] == pytest.approx(1e-2 / 3)
    assert lines[2]["lr"] == 1e-2
    assert all(line[name] > 0 for line in lines for name in TIMES | {"grad_norm"})


def test_log_lines_hold_means_over_the_steps_between_them(world, tmp_path):
    tiny_fit(tiny_engine(world, tiny_train()), tmp_path / "each")
    tiny_fit(tiny_engine(world, tiny_train(log_every=4)), tmp_path / "fourth")
    each, fourth = curve(tmp_path / "each"), curve(tmp_path / "fourth")
    assert [line["step"] for line in fourth] == [4, 6]
    assert fourth[0]["loss"] == pytest.approx(np.mean([line["loss"] for line in each[:4]]))
    assert fourth[1]["grad_norm"] == pytest.approx(np.mean([x["grad_norm"] for x in each[4:]]))


@pytest.mark.parametrize(("before", "after"), [(0, 0), (2, 3), (1, 0)])
def test_a_stopped_run_continues_bit_for_bit_under_the_same_stage(world, tmp_path, before, after):
    tiny_fit(tiny_engine(world, tiny_train(), stage=before), tmp_path / "whole")
    halves = tmp_path / "halves"
    tiny_fit(tiny_engine(world, tiny_train(stop_after=4), stage=before), halves)
    tiny_fit(tiny_engine(world, tiny_train(workers=2), stage=after), halves)
    assert [line["step"] for line in curve(halves)] == [1, 2, 3, 4, 5, 6]
    if before == after:
        assert curve(halves) == curve(tmp_path / "whole")
    else:  # another stage sums in another order
        for one, other in zip(curve(halves), curve(tmp_path / "whole"), strict=True):
            assert one == pytest.approx(other, rel=1e-5)


def test_a_finished_run_is_not_trained_further(world, tmp_path, capsys):
    last = tiny_fit(tiny_engine(world, tiny_train()), tmp_path)
    assert tiny_fit(tiny_engine(world, tiny_train()), tmp_path) == last
    assert "nothing left to train" in capsys.readouterr().out


def test_a_loss_that_is_not_a_number_stops_before_the_update(world, tmp_path):
    tiny_fit(tiny_engine(world, tiny_train(stop_after=3)), tmp_path / "good")
    good = read_weights(find_checkpoint(tmp_path / "good" / "checkpoints"))
    engine = tiny_engine(world, tiny_train(), nan_at=3)
    with pytest.raises(FloatingPointError) as error:
        tiny_fit(engine, tmp_path / "bad")
    message = str(error.value)
    assert message.startswith("step 4: the loss size is not finite (ce=")
    assert "samples: sample-24, sample-28;" in message  # dealt by length
    for name, value in good.items():
        assert torch.equal(whole_tensor(engine, name, "weights"), value)
    assert read_step(find_checkpoint(tmp_path / "bad" / "checkpoints")) == 3


def test_a_batch_without_a_label_is_refused_with_its_samples(world):
    engine = tiny_engine(world, tiny_train())
    batch = tiny_collate([TinySamples()[4], TinySamples()[7]])
    batch.label_ids = batch.label_ids[:0]
    with pytest.raises(ValueError, match="silent 0; samples: sample-4, sample-7"):
        optimizer_step(engine, [batch], 0, seed=0)


def test_validation_runs_before_training_by_interval_and_at_the_end(world, tmp_path):
    engine = tiny_engine(world, tiny_train(validate_every=4))
    seen = []

    def validation(engine):
        seen.append(engine.deepspeed.global_steps)
        return {"loss": 1.5}

    fit(
        engine, TinySamples(), tiny_collate, tmp_path, seed=5,
        config=tiny_config(engine.train_config), validation=validation,
    )  # fmt: skip
    assert seen == [0, 4, 6]
    lines = read_metrics(tmp_path / "metrics.jsonl")
    found = [(line["step"], line["validation/loss"]) for line in lines if "loss" not in line]
    assert found == [(0, 1.5), (4, 1.5), (6, 1.5)]


def kill_and_resume(folder: Path, kills: list[int], options: list[str]) -> None:
    for number, step in enumerate(kills):
        faulty = (f"kill_at={step}", f"workers={number % 3}", *options)
        code, said = run(PROGRAM, folder, *faulty, log=folder.with_suffix(".log"))
        assert code == -signal.SIGKILL, said
    code, said = run(PROGRAM, folder, "workers=1", *options, log=folder.with_suffix(".log"))
    assert code == 0, said


def test_two_kills_and_resumes_log_the_same_losses_as_no_kill(world, tmp_path):
    generator = np.random.default_rng(11)
    options = ["num_steps=24", "save_every=4", "stage=2"]
    tiny_fit(
        tiny_engine(world, tiny_train(num_steps=24, save_every=4), stage=2), tmp_path / "whole"
    )
    kills = sorted(int(step) for step in generator.integers(1, 23, size=2))
    kill_and_resume(tmp_path / "killed", kills, options)
    assert curve(tmp_path / "killed") == curve(tmp_path / "whole")


@pytest.mark.slow
def test_ten_kills_and_resumes_log_the_same_losses_as_no_kill(tmp_path):
    generator = np.random.default_rng(12)
    for stage, bf16 in ((0, 0), (3, 1)):
        options = ["num_steps=60", "save_every=3", f"stage={stage}", f"bf16={bf16}"]
        whole, killed = tmp_path / f"whole-{stage}", tmp_path / f"killed-{stage}"
        assert run(PROGRAM, whole, *options, log=whole.with_suffix(".log"))[0] == 0
        kills = sorted(int(step) for step in generator.integers(1, 59, size=10))
        kill_and_resume(killed, kills, options)
        assert curve(killed) == curve(whole)
