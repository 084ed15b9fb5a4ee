"""Measure piece by piece: what is finished stays, what is missing is measured."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from seal.evaluation.environment import environment
from seal.evaluation.speed.config import SpeedConfig
from seal.evaluation.speed.models import models_made
from seal.evaluation.speed.piece import MODELS, piece_path
from seal.evaluation.speed.report import draw_chart
from seal.evaluation.speed.script import search_lengths
from seal.evaluation.store import write_json
from seal.failure import FailedError

RESULT = "speed.json"
CHART = "speed.png"
Launch = Callable[[SpeedConfig, str, dict[str, Any]], None]


def measure(config: SpeedConfig, launch: Launch | None = None) -> dict[str, Any]:
    """Measure each precision that was not, and write speed.json and speed.png of all of them.

    Args:
        launch: runs one piece; None: in a process of its own.

    Raises:
        ValueError: there is no such device.
        RuntimeError: pieces failed; the others are measured and written nevertheless.
    """
    from seal.inference.load import existing_device

    launch = launch or launch_piece
    device = existing_device(config.device)
    config = replace(config, device=device)
    settings = piece_settings(config, environment(device))
    missing = [name for name in config.precisions if not _finished(config, name, settings)]
    if missing and not models_made(config):
        print(f"{config.name}: random weights in {Path(config.out) / MODELS}", flush=True)
        launch(config, MODELS, settings)
    failed: dict[str, str] = {}
    for precision in missing:
        print(f"{config.name} in {precision} on {settings['device_name']} ...", flush=True)
        try:
            launch(config, precision, settings)
        except RuntimeError as error:
            failed[precision] = str(error)
    pieces = {
        precision: json.loads(piece_path(config, precision).read_text(encoding="utf-8"))
        for precision in config.precisions
        if precision not in failed
    }
    result = {
        "name": config.name,
        "device": settings["device_name"],
        "lengths": [list(pair) for pair in search_lengths(config.questions)],
        "failed": failed,
        "pieces": pieces,
    }
    if pieces:
        write_json(Path(config.out) / RESULT, result)
        _draw(result, Path(config.out) / CHART)
    if failed:
        told = "; ".join(f"{name}: {why}" for name, why in failed.items())
        raise FailedError(f"not measured: {told} (the same command goes on with what is missing)")
    return result


def piece_settings(config: SpeedConfig, here: dict[str, Any]) -> dict[str, Any]:
    """What a piece's figures depend on; with any other value they are measured anew."""
    settings = asdict(config)
    for key in ("out", "precisions"):
        del settings[key]
    keys = ("seal", "packages", "device_name", "threads")
    settings |= {key: here[key] for key in keys}
    plain: dict[str, Any] = json.loads(json.dumps(settings))
    return plain


def launch_piece(config: SpeedConfig, piece: str, settings: dict[str, Any]) -> None:
    """In a process of its own, which ends if this one does."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "seal.evaluation.speed.piece", piece),
            *(json.dumps(asdict(config)), json.dumps(settings), str(os.getpid())),
        ],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode < 0:
        raise FailedError(f"its process was ended by signal {-done.returncode}")
    if done.returncode:
        raise FailedError((done.stderr.strip().splitlines() or ["no reason was given"])[-1])


def _finished(config: SpeedConfig, precision: str, settings: dict[str, Any]) -> bool:
    """Whether the piece was measured as it would be now; if otherwise, say what is different."""
    path = piece_path(config, precision)
    if not path.exists():
        return False
    before = json.loads(path.read_text(encoding="utf-8"))["settings"]
    for key in sorted({*before, *settings}):
        if before.get(key) != settings.get(key):
            print(
                f"{path} was measured with {key}={before.get(key)}, not {settings.get(key)}: "
                "it is measured again",
                flush=True,
            )
            return False
    print(f"{config.name} in {precision}: measured before, in {path}", flush=True)
    return True


def _draw(result: dict[str, Any], path: Path) -> None:
    if importlib.util.find_spec("matplotlib") is None:  # a bare GPU machine: the figures matter
        print(f"{path} is not drawn: that needs matplotlib", flush=True)
        return
    draw_chart(result, path)
