from __future__ import annotations

import pytest

from seal.training.config import TrainConfig
from seal.training.schedule import learning_rate_share


def shares(schedule: str, num_steps: int, warmup: int) -> list[float]:
    return [
        learning_rate_share(step, schedule=schedule, num_steps=num_steps, warmup=warmup)
        for step in range(num_steps)
    ]


def test_the_warm_up_rises_linearly_to_the_peak_and_linear_decay_falls_to_nothing():
    assert shares("linear", 8, 3) == pytest.approx([0.25, 0.5, 0.75, 1.0, 0.8, 0.6, 0.4, 0.2])


def test_cosine_is_half_way_down_in_the_middle():
    values = shares("cosine", 10, 0)
    assert values[0] == 1.0
    assert values[5] == pytest.approx(0.5)
    assert values[9] == pytest.approx(0.0244717, abs=1e-6)


def test_constant_stays_at_the_peak():
    assert shares("constant", 5, 1) == [0.5, 1.0, 1.0, 1.0, 1.0]


def test_an_unknown_schedule_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="linear, cosine, constant"):
        learning_rate_share(0, schedule="step", num_steps=1, warmup=0)


def test_a_warm_up_ratio_is_a_share_of_all_steps():
    train = TrainConfig(num_epochs=2, warmup_ratio=0.03, global_batch_size=128)
    steps = train.steps(387_000)
    assert steps == 6047  # 774 000 samples, the last batch filled from the next epoch
    assert train.warmup(steps) == 181


@pytest.mark.parametrize(
    "numbers",
    [
        {},
        {"num_steps": 3, "num_epochs": 1.0},
        {"num_steps": 0},
        {"num_steps": 3, "schedule": "triangle"},
        {"num_steps": 3, "warmup_steps": 1, "warmup_ratio": 0.1},
        {"num_steps": 3, "warmup_ratio": 1.0},
        {"num_steps": 3, "keep": 0},
        {"num_steps": 3, "wandb": "maybe"},
        {"num_steps": 3, "liger": "maybe"},
        {"num_steps": 3, "gradient_checkpointing": True, "recompute_every": 0},
        {"num_steps": 3, "recompute_every": 2},  # which blocks, of none
    ],
)
def test_impossible_numbers_are_refused_by_name(numbers):
    with pytest.raises(ValueError, match=r"train\."):
        TrainConfig(**numbers)
