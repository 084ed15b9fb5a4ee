"""Saving from living engines: what is written is the state of that step, under every stage."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest
import torch
from carried_over import ALL, PLAIN, SOME, STEP, carry, load, make_engine, take_steps, write_drawn
from safetensors.torch import load_file
from tiny_training import tiny_engine, tiny_fit, tiny_train
from warm import run, run_together
from whole_checkpoints import whole_tensor, write_checkpoint

from seal.training import checkpoint_writer, state
from seal.training.checkpoint import load_checkpoint, read_step
from seal.training.checkpoint_store import KINDS, checkpoint_names, find_checkpoint
from seal.training.checkpointer import Checkpointer
from seal.training.log import read_metrics

TESTS = Path(__file__).parents[2]
KILLED = TESTS / "tiny_killed_saving.py"


def content(checkpoint: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in checkpoint.iterdir()}


@pytest.fixture
def slow_disk(monkeypatch):
    """A disk that writes nothing until it is told to."""
    go = threading.Event()
    write = os.pwrite

    def waiting(*arguments):
        assert go.wait(60)
        return write(*arguments)

    monkeypatch.setattr(os, "pwrite", waiting)
    yield go
    go.set()


@pytest.mark.parametrize("kind", ALL)
def test_a_checkpoint_is_what_the_whole_tensors_of_the_engine_are(world, tmp_path, kind):
    engine = make_engine(world, kind)
    take_steps(engine, 0, 3)
    saving = Checkpointer(tmp_path / "parts", engine, keep=1)
    saving.save(3, {"seed": 0})
    meta = {"format": 1, "step": 3, "config": {"seed": 0}, "shapes": state.shapes(engine)}
    whole = write_checkpoint(
        tmp_path / "whole", meta, lambda name, kind: whole_tensor(engine, name, kind)
    )
    assert content(saving.finish()) == content(whole)


@pytest.mark.parametrize("kind", ALL)
def test_a_state_that_was_saved_and_loaded_continues_bit_for_bit(world, tmp_path, kind):
    engine = make_engine(world, kind)
    take_steps(engine, 0, STEP)
    saving = Checkpointer(tmp_path, engine, keep=1)
    saving.save(STEP, {})
    continued = take_steps(engine, STEP, STEP + 3)
    other = make_engine(world, kind)
    load(saving.finish(), other)
    assert take_steps(other, STEP, STEP + 3) == continued


@pytest.mark.parametrize("stage", [1, 3])
def test_moments_of_eight_bits_go_through_a_checkpoint_in_float32(world, tmp_path, stage):
    engine, other = (
        tiny_engine(world, tiny_train(optimizer="adamw_8bit", bf16=True), stage=stage, width=400)
        for _ in range(2)
    )
    take_steps(engine, 0, STEP)
    saving = Checkpointer(tmp_path, engine, keep=1)
    saving.save(STEP, {})
    checkpoint = saving.finish()
    continued = take_steps(engine, STEP, STEP + 3)
    load(checkpoint, other)
    again = Checkpointer(tmp_path / "again", other, keep=1, background=False)
    again.save(STEP, {})
    for kind in KINDS:
        values = load_file(checkpoint / f"{kind}.safetensors")
        for name, value in load_file(again.finish() / f"{kind}.safetensors").items():
            torch.testing.assert_close(value, values[name], rtol=1e-6, atol=0)
    packed = [s for s in engine.deepspeed.basic_optimizer.state.values() if "qmap1" in s]
    assert packed and all("exp_avg" not in state for state in packed)
    assert take_steps(other, STEP, STEP + 3) == pytest.approx(continued, rel=1e-3)


def test_one_process_carries_a_checkpoint_over_unchanged(world, tmp_path):
    checkpoint = write_drawn(tmp_path / "drawn")
    carry(checkpoint, tmp_path, world, ALL)
    for number in range(len(ALL)):
        assert content(find_checkpoint(tmp_path / str(number))) == content(checkpoint)


@pytest.mark.parametrize(
    ("processes", "kinds", "option"),
    [
        (2, SOME, "full=0"),
        pytest.param(2, ALL, "full=1", marks=pytest.mark.slow),
        pytest.param(3, ALL, "full=1", marks=pytest.mark.slow),
    ],
)
def test_several_processes_carry_it_over_unchanged_and_all_learn_that_one_cannot_write(
    tmp_path, processes, kinds, option
):
    checkpoint = write_drawn(tmp_path / "drawn")
    command = (TESTS / "carried_over.py", checkpoint, tmp_path, option)
    run_together(processes, *command, log=tmp_path / "log")
    for number in range(len(kinds)):
        assert content(find_checkpoint(tmp_path / str(number))) == content(checkpoint)
    told = {(tmp_path / f"told-{rank}.txt").read_text() for rank in range(processes)}
    assert len(told) == 1  # at the same step, in the same words
    last = processes - 1
    assert f"process {last}: [Errno 28] No space left on device; it takes" in told.pop()
    assert checkpoint_names(tmp_path / "full") == ["step-00000001", "step-00000003"]
    assert not list((tmp_path / "full").glob(".partial-*"))


def test_training_goes_on_while_a_checkpoint_is_written_and_does_not_change_it(
    world, tmp_path, slow_disk
):
    engine = make_engine(world, (2, True, False))
    take_steps(engine, 0, 2)
    weights = {name: whole_tensor(engine, name, "weights") for name in state.shapes(engine)}
    saving = Checkpointer(tmp_path, engine, keep=1)
    saving.save(2, {})
    take_steps(engine, 2, 4)
    saving.poll()
    assert find_checkpoint(tmp_path) is None
    slow_disk.set()
    other = make_engine(world, PLAIN)
    load_after(saving.finish(), other, 2)
    for name, value in weights.items():
        assert not (whole_tensor(engine, name, "weights") == value).all()
        assert (whole_tensor(other, name, "weights") == value).all()


def load_after(checkpoint: Path, engine, step: int) -> None:
    take_steps(engine, 0, 1, skip=True)
    assert load_checkpoint(checkpoint, engine) == step


def test_without_background_it_is_complete_when_save_returns(world, tmp_path):
    engine = make_engine(world, PLAIN)
    take_steps(engine, 0, 1)
    saving = Checkpointer(tmp_path, engine, keep=1, background=False)
    saving.save(1, {})
    assert read_step(find_checkpoint(tmp_path)) == 1
    assert set(saving.take_stall()) == {"save_seconds"} and saving.take_stall() == {}


def full(*_: object) -> int:
    raise OSError(28, "No space left on device")


def test_a_disk_that_fills_up_while_training_goes_on_is_one_clear_error(
    world, tmp_path, monkeypatch
):
    tiny_fit(tiny_engine(world, tiny_train(stop_after=3)), tmp_path)
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match=r"step 6 .*No space left.*GiB.*step-00000003\) are intact"):
        tiny_fit(tiny_engine(world, tiny_train()), tmp_path)
    store = tmp_path / "checkpoints"
    assert read_step(find_checkpoint(store)) == 3 and not list(store.glob(".partial-*"))
    monkeypatch.undo()
    tiny_fit(tiny_engine(world, tiny_train()), tmp_path)
    assert [line["step"] for line in read_metrics(tmp_path / "metrics.jsonl")] == [*range(1, 7)]


def test_a_disk_without_room_is_told_when_the_save_begins(world, tmp_path, monkeypatch):
    engine = make_engine(world, PLAIN)
    take_steps(engine, 0, 1)
    saving = Checkpointer(tmp_path, engine, keep=1)
    monkeypatch.setattr(checkpoint_writer, "reserve", full)
    with pytest.raises(OSError, match=r"cannot write the checkpoint of step 1 .*No space left"):
        saving.save(1, {})
    assert [path.name for path in tmp_path.iterdir()] == ["written.json"]


def test_too_little_memory_for_the_copy_is_told_with_the_way_out(world, tmp_path, monkeypatch):
    engine = make_engine(world, PLAIN)
    take_steps(engine, 0, 1)

    def none(*_: object) -> None:
        raise RuntimeError("can't allocate memory")

    monkeypatch.setattr(Checkpointer, "_host", none)
    with pytest.raises(OSError, match=r"process 0 finds no .* set train\.save_in_background=false"):
        Checkpointer(tmp_path, engine, keep=1).save(1, {})
    assert not list(tmp_path.iterdir())


def test_a_run_that_fails_while_a_checkpoint_is_written_still_completes_it(
    world, tmp_path, slow_disk
):
    engine = tiny_engine(world, tiny_train(), nan_at=4)
    threading.Timer(1.0, slow_disk.set).start()
    with pytest.raises(FloatingPointError):
        tiny_fit(engine, tmp_path)
    assert read_step(find_checkpoint(tmp_path / "checkpoints")) == 3


def test_the_log_says_what_training_waited_for_a_save(world, tmp_path):
    tiny_fit(tiny_engine(world, tiny_train(save_every=2)), tmp_path)
    lines = read_metrics(tmp_path / "metrics.jsonl")
    assert [line["step"] for line in lines if "save_seconds" in line] == [3, 5]


def losses(folder: Path) -> list[float]:
    return [line["loss"] for line in read_metrics(folder / "metrics.jsonl")]


@pytest.mark.parametrize(("moment", "left"), [(7, None), (22, 2)])
def test_a_kill_while_the_thread_writes_loses_nothing_but_the_steps_since(
    world, tmp_path, moment, left
):
    tiny_fit(tiny_engine(world, tiny_train(save_every=2), stage=2), tmp_path / "whole")
    killed = tmp_path / "killed"
    log = tmp_path / "log"
    code, said = run(KILLED, killed, f"kill_at_write={moment}", log=log)
    assert code == -signal.SIGKILL, said
    store = killed / "checkpoints"
    checkpoint = find_checkpoint(store)
    assert left == (None if checkpoint is None else read_step(checkpoint))
    assert list(store.glob(f".partial-step-0000000{2 if left is None else 4}"))
    code, said = run(KILLED, killed, log=log)
    assert code == 0, said
    assert losses(killed) == losses(tmp_path / "whole")
    ends = [find_checkpoint(folder / "checkpoints") for folder in (killed, tmp_path / "whole")]
    assert content(ends[0]) == content(ends[1])


@pytest.mark.slow
def test_of_two_processes_one_killed_while_it_writes_loses_nothing_but_the_steps_since(tmp_path):
    whole, killed, log = tmp_path / "whole", tmp_path / "killed", tmp_path / "log"
    run_together(2, KILLED, whole, log=log)
    with pytest.raises(AssertionError, match=r"exit codes \[.*-9\]"):
        run_together(2, KILLED, killed, "kill_at_write=22", log=log)
    store = killed / "checkpoints"
    assert read_step(find_checkpoint(store)) == 2 and list(store.glob(".partial-step-00000004"))
    run_together(2, KILLED, killed, log=log)
    assert losses(killed) == losses(whole)
    assert content(find_checkpoint(store)) == content(find_checkpoint(whole / "checkpoints"))
