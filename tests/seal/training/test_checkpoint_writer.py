"""Several processes write one checkpoint: whole or not there, whatever happens to any of them."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.distributed import HashStore
from whole_checkpoints import write_checkpoint

from seal.training import checkpoint_writer
from seal.training.checkpoint import iterate_weights, read_step, read_weights
from seal.training.checkpoint_store import KINDS, find_checkpoint
from seal.training.checkpoint_writer import Piece, Writing, begin, join_checksums
from seal.training.state import share

SHAPES = {"a.weight": (3, 5), "a.bias": (3,), "scale": (), "b.weight": (40, 3)}


def tensor(step: int, name: str, kind: str) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1000 * step + 10 * len(name) + KINDS.index(kind))
    return torch.randn(SHAPES[name], generator=generator)


def pieces(step: int, rank: int, size: int) -> list[Piece]:
    """A share of the elements, in pieces of at most 50."""
    found = []
    for kind in KINDS:
        for part in share(SHAPES, rank, size):
            values = tensor(step, part.name, kind).numpy().reshape(-1)
            for first in range(part.begin, part.end, 50):
                data = memoryview(values[first : min(first + 50, part.end)]).cast("B")
                found.append(Piece(kind, part.name, first, data))
    return found


def writings(folder: Path, step: int, size: int, keep: int = 2) -> list[Writing]:
    post = HashStore()
    return [
        Writing(
            folder, step, {"seed": 0}, SHAPES, pieces(step, rank, size),
            rank=rank, size=size, post=post, keep=keep,
        )
        for rank in range(size)
    ]  # fmt: skip


def write(folder: Path, step: int, size: int = 2) -> None:
    begin(folder, step, SHAPES)
    threads = writings(folder, step, size)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors := [thread.error for thread in threads if thread.error]:
        raise OSError(errors[0])


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def in_a_child(function, *arguments) -> int:
    """Exit code of `function` in a forked process."""
    process = multiprocessing.get_context("fork").Process(target=function, args=arguments)
    process.start()
    process.join(60)
    assert process.exitcode is not None
    return process.exitcode


@pytest.mark.parametrize("size", [1, 2, 7])
def test_the_files_are_those_of_whole_tensors_written_one_by_one(tmp_path, size):
    write(tmp_path / "parts", 3, size)
    meta = {"format": 1, "step": 3, "config": {"seed": 0}, "shapes": SHAPES}
    whole = write_checkpoint(tmp_path / "whole", meta, lambda *key: tensor(3, *key))
    assert content(find_checkpoint(tmp_path / "parts")) == content(whole)
    weights = load_file(whole / "weights.safetensors")
    assert {name: tuple(value.shape) for name, value in weights.items()} == SHAPES
    assert all(torch.equal(value, weights[name]) for name, value in iterate_weights(whole))


def _write_and_die(folder: Path, moment: int) -> None:
    calls = iter(range(1000))

    def dying(function):
        def call(*arguments, **options):
            if next(calls) == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options)

        return call

    os.fsync, os.replace, os.pwrite = dying(os.fsync), dying(os.replace), dying(os.pwrite)
    Path.rename, Path.mkdir = dying(Path.rename), dying(Path.mkdir)
    write(folder, 2, size=1)  # one thread: the moments come in the same order every time


def test_a_kill_at_any_moment_of_saving_leaves_a_complete_checkpoint(tmp_path):
    found = []
    for moment in range(60):
        folder = tmp_path / str(moment)
        write(folder, 1)
        code = in_a_child(_write_and_die, folder, moment)
        checkpoint = find_checkpoint(folder)
        step = read_step(checkpoint)
        found.append(step)
        for name, value in read_weights(checkpoint).items():
            assert torch.equal(value, tensor(step, name, "weights"))
        write(folder, 3)  # and the next save is not disturbed by what was left
        assert read_step(find_checkpoint(folder)) == 3
        files = sorted(path.name for path in folder.iterdir() if path.is_file())
        assert files == ["latest", "written.json"]
        assert not list(folder.glob(".partial-*"))
        if code == 0:
            break
        assert code == -signal.SIGKILL
    assert code == 0 and found[0] == 1 and found[-1] == 2 and len(found) > 15


def _write_on_a_full_disk(folder: Path, room: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    try:
        begin(folder, 2, SHAPES)
    except OSError:
        os._exit(77)


@pytest.mark.parametrize("room", [0, 100, 850])
def test_a_full_disk_is_told_first_and_leaves_the_previous_checkpoint_and_nothing_else(
    tmp_path, room
):
    write(tmp_path, 1)
    assert in_a_child(_write_on_a_full_disk, tmp_path, room) == 77
    assert read_step(find_checkpoint(tmp_path)) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "latest", "step-00000001", "written.json"
    ]  # fmt: skip


def test_nothing_is_seen_before_every_process_has_written_its_part(tmp_path):
    begin(tmp_path, 4, SHAPES)
    first, second, third = writings(tmp_path, 4, 3)
    first.start()
    third.start()
    third.join()
    first.join(0.2)
    assert first.is_alive() and find_checkpoint(tmp_path) is None
    second.start()
    first.join()
    assert first.error is None and read_step(find_checkpoint(tmp_path)) == 4


def test_one_process_that_cannot_write_is_named_and_nothing_is_seen(tmp_path, monkeypatch):
    write(tmp_path, 1)
    begin(tmp_path, 2, SHAPES)
    first, second = writings(tmp_path, 2, 2)
    second._pieces = [Piece("weights", "a.weight", 0, memoryview(np.zeros(1)).cast("B"))]

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        second.start()
        second.join()
    first.start()
    first.join()
    assert first.error == second.error == "process 1: [Errno 28] No space left on device"
    assert read_step(find_checkpoint(tmp_path)) == 1
    checkpoint_writer.discard(tmp_path, 2)
    assert not list(tmp_path.glob(".partial-*"))


def test_one_that_is_stopped_ends_without_a_checkpoint_and_without_an_error(tmp_path):
    begin(tmp_path, 2, SHAPES)
    first, _ = writings(tmp_path, 2, 2)
    first.start()
    first.stop()
    first.join()
    assert first.error is None and find_checkpoint(tmp_path) is None


def test_a_folder_that_another_machine_does_not_see_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint_writer, "_UNSEEN", 0.0)
    _, second = writings(tmp_path, 2, 2)
    second.start()
    second.join()
    assert "process 1: " in second.error and "is the folder shared by all machines?" in second.error


@pytest.mark.parametrize("parts", [[(0, 2), (3, 4)], [(0, 2), (1, 4)], [(0, 3)], [(0, 4), (4, 5)]])
def test_parts_that_do_not_make_up_a_tensor_once_are_refused(parts):
    reports = [[("a", begin, end, 0)] for begin, end in parts]
    with pytest.raises(ValueError, match="the parts of a do not make it up once"):
        join_checksums(reports, {"a": (2, 2)})
