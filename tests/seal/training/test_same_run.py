"""What may differ between a checkpoint and the run that goes on from it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
from tiny_training import tiny_train

from seal.training.same_run import require_same_config

SOURCE = Path("runs/x/checkpoints/step-00000003")


def described(**changes: object) -> dict[str, object]:
    train = asdict(tiny_train()) | changes
    return {"kind": "vqa", "configuration": {"train": train, "seed": 5, "deepspeed": {}}}


@pytest.mark.parametrize(
    "changes",
    [
        {"gradient_checkpointing": True},
        {"max_hours": 2.0, "timeout_minutes": 3.0, "max_bad_samples": 4},
        {"workers": 7, "save_every": 9},
    ],
)
def test_what_changes_no_number_may_change(changes):
    assert require_same_config(SOURCE, described(), described(**changes)) is None


def test_another_micro_batch_may_go_on_where_losses_are_averaged_over_steps():
    stored = described(averaging="step")
    note = require_same_config(SOURCE, stored, described(averaging="step", micro_batch_size=1))
    assert note == (
        "going on with micro_batch_size=1 instead of 2: the same steps, equal up to rounding"
    )
    for there, here in (("micro_batch", "micro_batch"), ("step", "micro_batch")):
        with pytest.raises(ValueError, match="2 there, 1 here"):
            require_same_config(
                SOURCE, described(averaging=there), described(averaging=here, micro_batch_size=1)
            )


def test_what_shapes_the_training_may_not_change():
    with pytest.raises(ValueError, match=r"train\.learning_rate: 0\.01 there, 0\.1 here"):
        require_same_config(SOURCE, described(), described(learning_rate=0.1))
    with pytest.raises(ValueError, match=r"train\.rates\.head: 0\.1 there, 'absent' here"):
        require_same_config(SOURCE, described(rates={"head": 0.1}), described())
