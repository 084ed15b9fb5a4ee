"""What a checkpoint holds, which ones stay, and which are refused."""

from __future__ import annotations

import json

import pytest
import torch
from tiny_training import tiny_config, tiny_engine, tiny_fit, tiny_train

from seal.training.checkpoint import read_step, read_weights
from seal.training.checkpoint_store import KINDS, find_checkpoint
from seal.training.log import read_metrics


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
