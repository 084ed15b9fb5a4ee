"""Event files as TensorBoard itself reads them."""

from __future__ import annotations

import builtins

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from seal.training.log import TrainingLog
from seal.training.trackers import EVENTS, chart


def log_steps(folder, first: int, last: int, loss: float) -> None:
    log = TrainingLog(folder, first=first, num_steps=9, tensorboard=True)
    for step in range(first + 1, last + 1):
        log.train(step, {"loss": loss + step, "loss/ce": 1.0, "loss/ce/gqa": 2.0, "lr": 1e-3})
    log.validation(last, {"loss": 5.0})
    log.close()


def read_events(folder) -> EventAccumulator:
    read = EventAccumulator(str(folder / EVENTS))
    read.Reload()
    return read


def curve(folder, tag: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in read_events(folder).Scalars(tag)]


def test_tensorboard_shows_every_number_in_a_section(tmp_path):
    log_steps(tmp_path, 0, 2, 10.0)
    assert set(read_events(tmp_path).Tags()["scalars"]) == {
        "train/loss", "train/lr", "loss/ce", "loss_ce/gqa", "validation/loss"
    }  # fmt: skip
    assert curve(tmp_path, "train/loss") == [(1, 11.0), (2, 12.0)]


def test_a_run_that_goes_on_continues_its_curve_and_hides_what_is_done_again(tmp_path):
    log_steps(tmp_path, 0, 6, 10.0)  # killed behind step 6; its last checkpoint is of step 4
    log_steps(tmp_path, 4, 8, 20.0)
    assert curve(tmp_path, "train/loss") == [
        *((step, 10.0 + step) for step in (1, 2, 3, 4)),
        *((step, 20.0 + step) for step in (5, 6, 7, 8)),
    ]
    assert curve(tmp_path, "validation/loss") == [(8, 5.0)]
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [EVENTS]


def test_without_the_package_it_is_an_error_with_the_way_out(tmp_path, monkeypatch):
    plain = builtins.__import__

    def missing(name, *arguments):
        if name == "torch.utils.tensorboard":
            raise ImportError("No module named 'tensorboard'")
        return plain(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ValueError, match=r"pip install tensorboard, or set train\.tensorboard=fal"):
        TrainingLog(tmp_path, first=0, num_steps=1, tensorboard=True)


def test_a_dashboard_gets_one_section_for_the_sources_of_a_part():
    assert [chart(name) for name in ("lr", "loss/ce", "loss/ce/gqa", "validation/loss/ce")] == [
        "lr", "loss/ce", "loss_ce/gqa", "validation_loss/ce"
    ]  # fmt: skip
