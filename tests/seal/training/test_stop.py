"""A run that is asked to stop leaves a checkpoint, exits with 0 and goes on bit for bit."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_training import tiny_engine, tiny_fit, tiny_train
from two_processes import PROGRAM, curve, start_two
from warm import Started, start, start_together

from seal.training.checkpoint_store import find_checkpoint
from seal.training.distributed import World
from seal.training.log import read_metrics
from seal.training.stop import HONOURED, STOP_FILE, STOPPED, StoppedError, StopRequest

ALONE = World(0, 1, 0, torch.device("cpu"))
OPTIONS = ("num_steps=8", "save_every=4")


def wait_for_step(
    folder: Path, step: int, process: Started | subprocess.Popen[bytes], log: Path
) -> None:
    metrics = folder / "metrics.jsonl"
    end = time.monotonic() + 120
    while not metrics.exists() or max([x["step"] for x in read_metrics(metrics)] or [0]) < step:
        assert process.poll() is None and time.monotonic() < end, log.read_text()[-3000:]
        time.sleep(0.02)


@pytest.fixture(scope="module")
def whole(world, tmp_path_factory) -> list[dict[str, float]]:
    folder = tmp_path_factory.mktemp("whole")
    tiny_fit(tiny_engine(world, tiny_train(num_steps=8, save_every=4)), folder)
    return curve(folder)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_to_the_whole_group_ends_a_run_with_0_and_it_goes_on_bit_for_bit(
    world, whole, tmp_path, name
):
    """To the group, as a terminal, torchrun and Slurm send it: the loader's workers get it too."""
    folder, log = tmp_path / "run", tmp_path / "log"
    process = start(PROGRAM, folder, *OPTIONS, "slow_at=1", "workers=2", log=log)
    wait_for_step(folder, 2, process, log)
    os.killpg(process.pid, signal.Signals[name])
    assert process.wait(timeout=100) == 0, log.read_text()[-3000:]
    said = log.read_text()
    assert f"stopped by {name} after step " in said and "Traceback" not in said, said
    assert "the same command goes on from there; no model was exported" in said
    assert (folder / STOPPED).read_text().startswith(f"{name} at step ")
    done = len(curve(folder))
    assert 2 <= done < 8
    assert find_checkpoint(folder / "checkpoints").name == f"step-{done:08d}"
    tiny_fit(tiny_engine(world, tiny_train(num_steps=8, save_every=4)), folder)
    assert curve(folder) == whole


def test_an_interrupt_ends_a_run_at_once_when_it_comes_twice(tmp_path):
    folder, log = tmp_path / "run", tmp_path / "log"
    process = start(PROGRAM, folder, "num_steps=400", "slow_at=1", log=log)
    wait_for_step(folder, 1, process, log)
    os.kill(process.pid, signal.SIGINT)
    os.kill(process.pid, signal.SIGINT)
    code = process.wait(timeout=60)
    # Two signals may be seen as one, where the system hands them over together.
    assert code == -signal.SIGINT or "stopped by SIGINT" in log.read_text()


def test_the_second_interrupt_is_not_waited_for(tmp_path):
    with StopRequest(tmp_path, ALONE) as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert sum(stop.votes()) == 1
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("to", ["one process", "torchrun"])
def test_a_signal_to_one_of_two_processes_stops_both_at_the_same_step(world, whole, tmp_path, to):
    """Torchrun hands the signal on and waits; that it had one is its own exit code."""
    folder, log = tmp_path / "run", tmp_path / "log"
    if to == "torchrun":
        processes: list[Any] = [start_two(folder, *OPTIONS, "slow_at=1", log=log)]
    else:
        processes = [*start_together(2, PROGRAM, folder, *OPTIONS, "slow_at=1", log=log)]
    wait_for_step(folder, 2, processes[0], log)
    os.kill(processes[-1].pid, signal.SIGUSR1)
    codes = [process.wait(timeout=100) for process in processes]
    said = log.read_text()
    assert codes == ([1] if to == "torchrun" else [0, 0]), said[-3000:]
    assert said.count("stopped by SIGUSR1 after step ") == 1
    assert "via SIGKILL" not in said and "exitcode" not in said, said[-3000:]
    done = len(curve(folder))
    assert 2 <= done < 8
    tiny_fit(tiny_engine(world, tiny_train(num_steps=8, save_every=4)), folder)
    for line, other in zip(curve(folder), whole, strict=True):
        assert line == pytest.approx(other, rel=1e-5)


def test_a_file_stops_a_run_once(world, whole, tmp_path, capsys):
    train = tiny_train(num_steps=8, save_every=4)
    (tmp_path / STOP_FILE).touch()
    with StopRequest(tmp_path, world) as stop, pytest.raises(StoppedError) as stopped:
        tiny_fit(tiny_engine(world, train), tmp_path, stop=stop)
    assert (stopped.value.code, stopped.value.why, stopped.value.step) == (0, "STOP", 1)
    assert "STOP is now called STOP.honoured" in capsys.readouterr().out
    assert (tmp_path / HONOURED).exists() and not (tmp_path / STOP_FILE).exists()
    with StopRequest(tmp_path, world) as stop:
        assert not (tmp_path / STOPPED).exists()
        tiny_fit(tiny_engine(world, train), tmp_path, stop=stop)
    assert curve(tmp_path) == whole


def test_the_file_is_not_looked_for_in_every_step(tmp_path):
    now = [0.0]
    stop = StopRequest(tmp_path, ALONE, clock=lambda: now[0])
    assert sum(stop.votes()) == 0
    (tmp_path / STOP_FILE).touch()
    now[0] = 1.0
    assert sum(stop.votes()) == 0
    now[0] = 4.0
    assert sum(stop.votes()) == 1


def test_max_hours_stop_a_run_between_two_log_lines_which_loses_none(world, tmp_path, capsys):
    train = tiny_train(num_steps=8, save_every=8, log_every=4)
    hours = iter([0.0, 0.5, 0.9, 1.1])
    stop = StopRequest(tmp_path, world, max_hours=1.0, clock=lambda: 3600 * next(hours))
    with stop, pytest.raises(StoppedError):
        tiny_fit(tiny_engine(world, train), tmp_path, stop=stop)
    assert "stopped by train.max_hours=1.0 after step 3: " in capsys.readouterr().out
    assert [line["step"] for line in curve(tmp_path)] == [3]
    tiny_fit(tiny_engine(world, train), tmp_path)
    assert [line["step"] for line in curve(tmp_path)] == [3, 4, 8]


def test_a_validation_that_a_stop_left_out_is_made_up_for(world, tmp_path):
    train = tiny_train(num_steps=6, save_every=6, validate_every=2)
    seen = []

    def validation(engine):
        seen.append(engine.deepspeed.global_steps)
        return {"loss": 1.5}

    hours = iter([0.0, 0.1, 2.0])
    stop = StopRequest(tmp_path, world, max_hours=1.0, clock=lambda: 3600 * next(hours))
    with stop, pytest.raises(StoppedError):
        tiny_fit(tiny_engine(world, train), tmp_path, stop=stop, validation=validation)
    tiny_fit(tiny_engine(world, train), tmp_path, validation=validation)
    lines = read_metrics(tmp_path / "metrics.jsonl")
    assert [line["step"] for line in lines if "validation/loss" in line] == [0, 2, 4, 6]
