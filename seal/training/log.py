"""Numbers while it trains: a progress bar, one JSON line a step, dashboards that were asked for."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from seal.files.whole import write_whole
from seal.training.trackers import open_trackers

METRICS = "metrics.jsonl"
REPLACED = "metrics.replaced.jsonl"  # what was logged of steps that were then done again


class TrainingLog:
    """Writes to `folder/metrics.jsonl` and the console. Only the first process makes one.

    `first` steps are done already: later lines, left by a run that was killed after its last
    checkpoint, move to `metrics.replaced.jsonl`, so that the file tells one story.
    """

    def __init__(
        self, folder: Path, *, first: int, num_steps: int, wandb: str = "off",
        wandb_project: str = "seal", tensorboard: bool = False,
        config: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / METRICS
        _keep_lines_up_to(self.path, first)
        self._file = self.path.open("a", encoding="utf-8")
        # A log file gets a line every ten seconds, a terminal a moving bar.
        interval = 0.5 if sys.stderr.isatty() else 10.0
        self._bar = tqdm(
            total=num_steps, initial=first, desc=folder.name, unit="step", mininterval=interval,
            dynamic_ncols=True, smoothing=0.05,
        )  # fmt: skip
        self._trackers = open_trackers(
            folder, first=first, wandb=wandb, project=wandb_project, tensorboard=tensorboard,
            config=config,
        )  # fmt: skip

    def train(self, step: int, values: Mapping[str, float]) -> None:
        """One line about the steps since the last one."""
        self._write({"step": step, **values})
        shown = {"loss": f"{values['loss']:.4f}", "lr": f"{values['lr']:.2e}"}
        self._bar.set_postfix(shown, refresh=False)

    def validation(self, step: int, values: Mapping[str, float]) -> None:
        """One line about the held-out samples; the names start with `validation/`."""
        named = {f"validation/{name}": value for name, value in values.items()}
        self._write({"step": step, **named})
        for line in told(values, f"step {step}: validation: "):
            self.say(line)

    def advance(self) -> None:
        """Move the bar by one step."""
        self._bar.update()

    def say(self, text: str) -> None:
        """A line above the bar."""
        self._bar.write(text, file=sys.stderr)

    def close(self) -> None:
        """Flush and close everything."""
        self._bar.close()
        self._file.close()
        for tracker in self._trackers:
            tracker.close()

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        values = {name: value for name, value in line.items() if name != "step"}
        for tracker in self._trackers:
            tracker.log(line["step"], values)


def told(values: Mapping[str, float], start: str) -> list[str]:
    """Numbers for a reader: one line behind `start`; those of single sources in one line a part."""
    top = [name for name in values if name.count("/") < 2]
    lines = [start + "  ".join(f"{name} {values[name]:.4f}" for name in top)]
    parts: dict[str, list[str]] = {}
    for name, value in values.items():
        part, _, source = name.rpartition("/")
        if "/" in part:
            parts.setdefault(part, []).append(f"{source} {value:.4f}")
    return lines + [f"  {part} by source: {', '.join(each)}" for part, each in parts.items()]


def read_metrics(path: Path) -> list[dict[str, float]]:
    """The lines of a `metrics.jsonl`; a half-written last line is left out.

    Raises:
        ValueError: a line is not of such a log; names file and line.
    """
    lines = path.read_bytes().splitlines(keepends=True)
    return [
        _parsed(line, f"{path}, line {number}")
        for number, line in enumerate(lines, 1)
        if line.endswith(b"\n")
    ]


def last_step(path: Path) -> int:
    """The largest step a log tells of; 0 where there is no log."""
    if not path.exists():
        return 0
    return max((int(line["step"]) for line in read_metrics(path)), default=0)


def was_validated(path: Path, step: int) -> bool:
    """Whether a log has a line about the held-out samples after `step` steps."""
    lines = read_metrics(path) if path.exists() else []
    return any(
        line["step"] == step and any(name.startswith("validation/") for name in line)
        for line in lines
    )


def _parsed(line: bytes, where: str) -> dict[str, float]:
    try:
        content = json.loads(line)
    except ValueError:
        content = None
    if not isinstance(content, dict) or type(content.get("step")) is not int:
        raise ValueError(
            f"{where}: not a line of a training log (an object with a step); correct it, or move "
            "the file away"
        )
    return content


def _keep_lines_up_to(path: Path, step: int) -> None:
    if not path.exists():
        return
    lines = read_metrics(path)
    if later := [line for line in lines if line["step"] > step]:
        with path.with_name(REPLACED).open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in later)
            file.flush()
            os.fsync(file.fileno())
    kept = [line for line in lines if line["step"] <= step]
    write_whole(path, "".join(json.dumps(line) + "\n" for line in kept))
