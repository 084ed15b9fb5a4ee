"""The best checkpoint of a run stays, whatever else is removed to make room."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_training import TinySamples, tiny_collate, tiny_config, tiny_engine, tiny_train

from seal.training.best import (
    BestSoFar,
    best_checkpoint,
    is_better,
    read_best,
    spared,
    value_of,
)
from seal.training.checkpoint import read_step
from seal.training.checkpoint_store import checkpoint_names, find_checkpoint
from seal.training.config import TrainConfig
from seal.training.loop import fit

LOSSES = {2: 3.0, 4: 1.0, 6: 2.0, 8: 4.0, 10: 1.5, 12: 1.25}  # of the validation after each step


def run(world, folder: Path, losses=LOSSES, *, metric="validation/loss", **changes) -> Path:
    """Train with a validation that says what it is told, so that the best step is known."""
    train = tiny_train(
        num_steps=12, save_every=3, keep=1, validate_every=2, validation_samples=4, best=metric,
        **changes,
    )  # fmt: skip
    engine = tiny_engine(world, train)

    def validation(engine):
        step = engine.deepspeed.global_steps - skipped
        return {"loss": losses.get(step, 9.0), "cIoU": 1 - losses.get(step, 9.0) / 10}

    found = find_checkpoint(folder / "checkpoints")
    skipped = 0 if found is None else 1 - read_step(found)  # a throw-away step at rate 0
    return fit(
        engine, TinySamples(), tiny_collate, folder, seed=5, config=tiny_config(train),
        validation=validation,
    )  # fmt: skip


@pytest.mark.parametrize("metric", ["validation/loss", "-validation/loss", "validation/cIoU"])
def test_the_checkpoint_of_the_best_validation_stays_and_is_named(world, tmp_path, metric):
    run(world, tmp_path, metric=metric)
    store = tmp_path / "checkpoints"
    # Saved for being the best, at a step where none was due; the last because it is the newest.
    assert checkpoint_names(store) == ["step-00000004", "step-00000012"]
    stored = json.loads((store / "best").read_text())
    value = 0.9 if metric == "validation/cIoU" else 1.0
    assert stored == {"name": "step-00000004", "metric": metric, "value": value}
    assert best_checkpoint(store) == store / "step-00000004"
    assert read_step(best_checkpoint(store)) == 4


def test_a_run_that_goes_on_knows_the_best_so_far(world, tmp_path):
    run(world, tmp_path, stop_after=6)
    assert read_best(tmp_path / "checkpoints").value == 1.0
    run(world, tmp_path)
    assert read_best(tmp_path / "checkpoints").name == "step-00000004"


def test_what_was_best_behind_the_step_gone_on_from_is_found_again(world, tmp_path):
    store = tmp_path / "checkpoints"
    run(world, tmp_path, stop_after=5)
    assert read_best(store).name == "step-00000004"
    other = {**LOSSES, 4: 3.5, 6: 2.5}
    best = json.loads((store / "best").read_text())
    (store / "best").write_text(json.dumps({**best, "name": "step-00000008"}))  # of a longer run
    run(world, tmp_path, other)
    assert read_best(store).name == "step-00000012"


def test_until_the_best_is_complete_the_one_before_stays_and_stands_in_for_it(world, tmp_path):
    for step in (2, 4, 6, 8):
        (tmp_path / f"step-{step:08d}").mkdir()
    best = BestSoFar(tmp_path, "validation/loss", first=0, world=world)
    assert best.improved({"loss": 2.0}, 2) and best.improved({"loss": 1.0}, 10)
    assert spared(tmp_path) == {"step-00000002", "step-00000010"}
    assert best_checkpoint(tmp_path).name == "step-00000002"  # killed here
    again = BestSoFar(tmp_path, "validation/loss", first=8, world=world)
    assert not again.improved({"loss": 3.0}, 9) and again.improved({"loss": 1.0}, 10)
    again.settle(tmp_path / "step-00000008")  # not yet
    assert read_best(tmp_path).before.name == "step-00000002"
    (tmp_path / "step-00000010").mkdir()
    again.settle(tmp_path / "step-00000010")
    assert spared(tmp_path) == {"step-00000010"} == {best_checkpoint(tmp_path).name}


def test_a_number_that_the_validation_does_not_have_is_told_before_any_training(world, tmp_path):
    with pytest.raises(ValueError, match=r"no such number; it has validation/loss, validation/cIo"):
        run(world, tmp_path, metric="validation/ciou")
    assert not (tmp_path / "checkpoints").exists()


def test_losses_are_better_lower_others_higher_and_nothing_that_is_no_number():
    assert is_better("validation/loss/ce", 1.0, 2.0) and not is_better("validation/loss", 2.0, 1.0)
    assert is_better("validation/cIoU", 0.5, 0.4) and is_better("-validation/cIoU", 0.4, 0.5)
    assert is_better("validation/loss", 7.0, None) and not is_better("validation/loss", 1.0, 1.0)
    assert not is_better("validation/loss", float("nan"), None)
    assert value_of("-validation/loss/ce", {"loss/ce": 2.5}) == 2.5


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"best": "loss"}, r"write train\.best=validation/loss"),
        ({"best": "validation/loss"}, r"set train\.validate_every and train\.validation_samples"),
        ({"push_to_hub": "mine"}, r"no name on the hub; write owner/name"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_with_the_way_out(values, says):
    with pytest.raises(ValueError, match=says):
        TrainConfig(num_steps=1, **values)


def test_a_damaged_file_is_named_with_the_way_out(tmp_path):
    with pytest.raises(ValueError, match="has no file `best`: the run kept none"):
        best_checkpoint(tmp_path)
    (tmp_path / "best").write_text("{")
    with pytest.raises(ValueError, match=r"best is damaged: .*remove it to go on without"):
        read_best(tmp_path)
    stored = {"name": "step-00000004", "metric": "validation/loss", "value": 1.0}
    (tmp_path / "best").write_text(json.dumps(stored))
    with pytest.raises(ValueError, match="names step-00000004, which is not there"):
        best_checkpoint(tmp_path)
