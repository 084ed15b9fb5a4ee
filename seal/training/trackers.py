"""Where a run's numbers go besides its log: Weights & Biases, TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

EVENTS = "tensorboard"  # the folder of a run that holds its event files


class Tracker(Protocol):
    """Shows numbers by step; a run that goes on continues its curves."""

    def log(self, step: int, values: Mapping[str, float]) -> None: ...

    def close(self) -> None: ...


def open_trackers(
    folder: Path, *, first: int, wandb: str, project: str, tensorboard: bool,
    config: Mapping[str, Any] | None,
) -> list[Tracker]:  # fmt: skip
    """Those that were asked for. `first` steps are done already.

    Raises:
        ValueError: one needs a package that is not there; says how to install it.
    """
    trackers: list[Tracker] = []
    if wandb != "off":
        trackers.append(WandbTracker(folder, wandb, project, config))
    if tensorboard:
        trackers.append(TensorboardTracker(folder / EVENTS, first))
    return trackers


def chart(name: str) -> str:
    """The name of a number in a dashboard, which makes a section of what stands before the slash.

    `loss/ce/gqa`, of one source of the mixture, is `loss_ce/gqa`: a dozen sources beside the parts
    of the loss would hide them.
    """
    *groups, last = name.split("/")
    return f"{'_'.join(groups)}/{last}" if groups else name


class WandbTracker:
    """A run of Weights & Biases named after the folder."""

    def __init__(
        self, folder: Path, mode: str, project: str, config: Mapping[str, Any] | None
    ) -> None:
        import wandb

        self._run = wandb.init(
            project=project,
            name=folder.name,
            id=folder.name,  # the same folder continues the same curve
            resume="allow",
            mode=mode,  # type: ignore[arg-type]  # one of two of its literals
            dir=folder,
            config=dict(config or {}),
        )

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log({chart(name): value for name, value in values.items()}, step=step)

    def close(self) -> None:
        self._run.finish()


class TensorboardTracker:
    """Event files in `folder`: one for each time the run was started, one curve together.

    What an earlier one holds of steps that are done again is hidden by the new one.
    """

    def __init__(self, folder: Path, first: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ValueError(
                "train.tensorboard=true needs the package tensorboard: pip install tensorboard, "
                "or set train.tensorboard=false"
            ) from error
        self._writer: Any = SummaryWriter(
            str(folder), purge_step=first + 1 if first else None, flush_secs=30
        )

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            # A number without a group would make a section of its own.
            tag = chart(name) if "/" in name else f"train/{name}"
            self._writer.add_scalar(tag, value, step)

    def close(self) -> None:
        self._writer.close()
