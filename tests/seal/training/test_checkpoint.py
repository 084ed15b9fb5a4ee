from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_training import tiny_config, tiny_engine, tiny_fit, tiny_train

from seal.training import checkpoint as checkpoints
from seal.training.checkpoint import read_step, read_weights, write_checkpoint
from seal.training.checkpoint_store import KINDS, find_checkpoint
from seal.training.log import read_metrics

SHAPES = {"a.weight": (3, 5), "a.bias": (3,), "scale": ()}


def tensor_of(step: int):
    """Tensors that tell which step they are of."""

    def tensor(name: str, kind: str) -> torch.Tensor:
        return torch.full(SHAPES[name], float(step * 10 + KINDS.index(kind)))

    return tensor


def write(folder: Path, step: int) -> Path:
    meta = {"format": 1, "step": step, "config": {"seed": 0}, "shapes": SHAPES}
    return write_checkpoint(folder, meta, tensor_of(step))


def in_a_child(function, *arguments) -> int:
    """Exit code of `function` in a forked process."""
    process = multiprocessing.get_context("fork").Process(target=function, args=arguments)
    process.start()
    process.join(60)
    assert process.exitcode is not None
    return process.exitcode


def test_a_checkpoint_is_plain_safetensors_and_json(tmp_path):
    folder = write(tmp_path, 3)
    assert find_checkpoint(tmp_path) == folder
    assert read_step(folder) == 3
    weights = load_file(folder / "weights.safetensors")
    assert {name: tuple(value.shape) for name, value in weights.items()} == SHAPES
    assert read_weights(folder)["a.bias"].tolist() == [30.0] * 3
    assert sorted(path.suffix for path in folder.iterdir()) == [".json"] + [".safetensors"] * 3


def _write_and_die(folder: Path, moment: int) -> None:
    calls = iter(range(1000))

    def dying(function):
        def call(*arguments, **options):
            if next(calls) == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options)

        return call

    os.fsync, os.replace = dying(os.fsync), dying(os.replace)
    Path.rename, Path.mkdir = dying(Path.rename), dying(Path.mkdir)
    write(folder, 2)


def test_a_kill_at_any_moment_of_saving_leaves_a_complete_checkpoint(tmp_path):
    found = []
    for moment in range(30):
        folder = tmp_path / str(moment)
        write(folder, 1)
        code = in_a_child(_write_and_die, folder, moment)
        checkpoint = find_checkpoint(folder)
        step = read_step(checkpoint)
        found.append(step)
        for name, value in read_weights(checkpoint).items():
            assert torch.equal(value, tensor_of(step)(name, "weights"))
        write(folder, 3)  # and the next save is not disturbed by what was left
        assert read_step(find_checkpoint(folder)) == 3
        files = sorted(path.name for path in folder.iterdir() if path.is_file())
        assert files == ["latest", "written.json"]
        assert not list(folder.glob(".partial-*"))
        if code == 0:
            break
        assert code == -signal.SIGKILL
    assert code == 0 and found[0] == 1 and found[-1] == 2 and len(found) > 8


def _write_on_a_full_disk(folder: Path, room: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    try:
        write(folder, 2)
    except (OSError, ValueError):
        os._exit(77)


@pytest.mark.parametrize("room", [0, 100, 250])
def test_a_full_disk_leaves_the_previous_checkpoint_and_nothing_else(tmp_path, room):
    write(tmp_path, 1)
    assert in_a_child(_write_on_a_full_disk, tmp_path, room) == 77
    assert read_step(find_checkpoint(tmp_path)) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "latest", "step-00000001", "written.json"
    ]  # fmt: skip


def test_a_full_disk_in_training_is_one_clear_error(world, tmp_path, monkeypatch):
    engine = tiny_engine(world, tiny_train())

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "_write_safetensors", full)
    with pytest.raises(OSError, match=r"step 3 .*No space left.*GiB.*intact: make room"):
        tiny_fit(engine, tmp_path)
    assert len(read_metrics(tmp_path / "metrics.jsonl")) == 3


def test_only_the_newest_checkpoints_stay(world, tmp_path):
    tiny_fit(tiny_engine(world, tiny_train(save_every=1, keep=2)), tmp_path)
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["latest", "step-00000005", "step-00000006", "written.json"]


@pytest.mark.parametrize(
    ("keep", "stay"), [(1, [3, 4, 5, 6]), (2, [2, 3, 4, 5, 6]), (9, [1, 2, 3, 4, 5, 6])]
)
def test_going_on_from_an_earlier_checkpoint_keeps_the_later_ones_and_its_own(
    world, tmp_path, keep, stay
):
    tiny_fit(tiny_engine(world, tiny_train(save_every=1, keep=9)), tmp_path)
    store = tmp_path / "checkpoints"
    (store / "latest").write_text("step-00000002")
    checkpoint = tiny_fit(
        tiny_engine(world, tiny_train(save_every=1, keep=keep, stop_after=3)), tmp_path
    )
    assert find_checkpoint(store) == checkpoint
    names = sorted(path.name for path in store.glob("step-*"))
    assert names == [f"step-0000000{step}" for step in stay]


def test_a_checkpoint_holds_what_is_trained_and_nothing_frozen(world, tmp_path):
    checkpoint = tiny_fit(tiny_engine(world, tiny_train(num_steps=1)), tmp_path)
    assert set(read_weights(checkpoint)) == {
        "embed.weight", "mix.weight", "mix.bias", "head.weight", "head.bias"
    }  # fmt: skip


def test_a_checkpoint_of_another_shape_is_refused_with_its_keys(world, tmp_path):
    tiny_fit(tiny_engine(world, tiny_train(stop_after=3)), tmp_path)
    with pytest.raises(ValueError, match=r"of another shape: embed\.weight \[13, 7\] there"):
        tiny_fit(tiny_engine(world, tiny_train(), width=8), tmp_path)


def test_a_checkpoint_that_lacks_or_adds_parameters_is_refused_with_their_names(world, tmp_path):
    tiny_fit(tiny_engine(world, tiny_train(stop_after=3)), tmp_path)
    meta = find_checkpoint(tmp_path / "checkpoints") / "checkpoint.json"
    content = json.loads(meta.read_text())
    content["shapes"]["lora.a"] = content["shapes"].pop("head.bias")
    meta.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"not in it: head\.bias; only in it: lora\.a"):
        tiny_fit(tiny_engine(world, tiny_train()), tmp_path)


def test_a_checkpoint_of_another_configuration_is_refused_with_the_keys(world, tmp_path):
    tiny_fit(tiny_engine(world, tiny_train(stop_after=3)), tmp_path)
    other = tiny_train(learning_rate=0.5, beta1=0.8)
    with pytest.raises(ValueError, match=r"train\.beta1: 0\.9 there, 0\.8 here, train\.learning"):
        tiny_fit(tiny_engine(world, other), tmp_path)


def test_what_does_not_shape_the_training_may_change(world, tmp_path):
    tiny_fit(tiny_engine(world, tiny_train(stop_after=3)), tmp_path)
    train = tiny_train(workers=1, log_every=2, keep=5, save_every=1)
    assert read_step(tiny_fit(tiny_engine(world, train, stage=2), tmp_path)) == 6


def test_the_configuration_is_in_the_checkpoint(world, tmp_path):
    train = tiny_train(num_steps=1)
    checkpoint = tiny_fit(tiny_engine(world, train), tmp_path)
    stored = json.loads((checkpoint / "checkpoint.json").read_text())
    assert stored["config"] == tiny_config(train)


def test_the_later_ones_are_replaced_when_the_run_comes_to_their_steps(world, tmp_path):
    tiny_fit(tiny_engine(world, tiny_train(save_every=1, keep=9)), tmp_path)
    store = tmp_path / "checkpoints"
    whole = {path.name: read_weights(path) for path in store.glob("step-*")}
    (store / "latest").write_text("step-00000002")
    tiny_fit(tiny_engine(world, tiny_train(save_every=1, keep=2)), tmp_path)
    assert sorted(path.name for path in store.glob("step-*")) == ["step-00000005", "step-00000006"]
    for name, value in read_weights(store / "step-00000006").items():
        assert torch.equal(value, whole["step-00000006"][name])


@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_bit_in_a_tensor_is_noticed_and_its_file_named(tmp_path, world, kind):
    tiny_fit(tiny_engine(world, tiny_train(stop_after=3)), tmp_path)
    path = find_checkpoint(tmp_path / "checkpoints") / f"{kind}.safetensors"
    data = bytearray(path.read_bytes())
    data[-3] ^= 16
    path.write_bytes(data)
    with pytest.raises(
        ValueError, match=rf"{kind}\.safetensors is damaged: the checksum of .*is an"
    ):
        tiny_fit(tiny_engine(world, tiny_train()), tmp_path)


def test_a_run_that_ended_before_its_first_checkpoint_begins_again_and_keeps_its_log(
    world, tmp_path, capsys
):
    (tmp_path / "metrics.jsonl").write_text('{"step": 2, "loss": 1.5}\n')
    tiny_fit(tiny_engine(world, tiny_train(stop_after=2)), tmp_path)
    assert "ended at step 2, before a checkpoint: training begins at" in capsys.readouterr().out
    assert [line["step"] for line in read_metrics(tmp_path / "metrics.jsonl")] == [1, 2]
    assert read_metrics(tmp_path / "metrics.replaced.jsonl") == [{"step": 2, "loss": 1.5}]


def test_a_log_of_steps_that_were_saved_without_their_checkpoints_is_refused(world, tmp_path):
    text = '{"step": 3, "loss": 1.5}\n'
    (tmp_path / "metrics.jsonl").write_text(text)
    with pytest.raises(ValueError, match=r"tells of 3 steps, but .*another run_name= to start"):
        tiny_fit(tiny_engine(world, tiny_train(save_every=3)), tmp_path)
    assert (tmp_path / "metrics.jsonl").read_text() == text  # untouched


def test_a_line_that_is_none_of_a_log_is_named(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 3}\n[1]\n')
    with pytest.raises(ValueError, match=r"metrics\.jsonl, line 2: not a line of a training log"):
        read_metrics(tmp_path / "metrics.jsonl")
