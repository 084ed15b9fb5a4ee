"""Measure piece by piece: what is finished stays, what is missing is measured."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from seal.failure import FailedError
from seal.files.whole import write_whole
from seal.pages.measured import write_measured
from seal.training.distributed import LAUNCHER_VARIABLES, World, distributed
from seal.training.throughput.config import ThroughputConfig
from seal.training.throughput.piece import measure_recipe
from seal.training.throughput.report import draw_chart, ratio_lines, throughput_table
from seal.training.throughput.simulation import Comparison, plan_document, simulate
from seal.version import __version__

RESULT, CHART, PLAN, PIECES = "throughput.json", "throughput.png", "plan.json", "pieces"
PAGE = "throughput.html"
# Settings that no figure of a piece depends on.
FREE = ("out", "recipes", "simulate", "simulated_steps", "loader")
PACKAGES = ("torch", "transformers", "deepspeed", "peft", "bitsandbytes")
Launch = Callable[[ThroughputConfig, str], dict[str, Any]]


def plan(config: ThroughputConfig) -> list[Comparison]:
    """Deal the paper's batches of both programs to many ranks, and write plan.json."""
    compared = [
        each
        for program in ("vqa", "vsm")
        for each in simulate(program, steps=config.simulated_steps, seed=config.seed)
    ]
    _write(Path(config.out) / PLAN, plan_document(compared))
    return compared


def measure(config: ThroughputConfig, launch: Launch | None = None) -> dict[str, Any]:
    """Measure each recipe that was not; write throughput.json, .html and .png of all in OUT.

    Under a launcher every process calls this, and the first one writes.

    Args:
        launch: measures one recipe; None: in a process of its own, or, under a launcher, in these.

    Raises:
        FailedError: pieces failed; the others are measured and written nevertheless.
    """
    if launch is None and all(name in os.environ for name in LAUNCHER_VARIABLES):
        # One group for all pieces: DeepSpeed does not survive a second one.
        with distributed(config.seed, timeout_minutes=config.train.timeout_minutes) as world:
            return _measure(config, partial(measure_recipe, world=world), world)
    return _measure(config, launch or launch_piece, None)


def _measure(config: ThroughputConfig, launch: Launch, world: World | None) -> dict[str, Any]:
    """`world`: the processes that measure together; None: this one launches others."""
    main = world is None or world.is_main
    settings = piece_settings(config)
    failed: dict[str, str] = {}
    for recipe in config.recipes:
        path = Path(config.out) / PIECES / f"{config.name}-{recipe}.json"
        look = partial(_finished, path, settings)
        if look() if world is None else world.decide(look):
            continue
        if main:
            print(f"{config.name}, {recipe} ...", flush=True)
        try:
            piece = launch(config, recipe)
        except FailedError as error:
            if world is not None:
                raise
            failed[recipe] = str(error)
            continue
        if main:
            _write(path, {"case": config.name, "name": recipe, "settings": settings, **piece})
    if not main:
        return {}
    found = (Path(config.out) / PIECES).glob("*.json")
    pieces = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(found)]
    result = {"pieces": pieces, "failed": failed}
    if pieces:
        _write(Path(config.out) / RESULT, result)
        _draw(pieces, Path(config.out) / CHART)
        write_measured(
            Path(config.out) / PAGE,
            "Training throughput",
            tables=[throughput_table(pieces)],
            charts=[
                (Path(config.out) / CHART, "Samples a second, utilization and memory by case.")
            ],
            notes=ratio_lines(pieces),
        )
    if failed:
        told = "; ".join(f"{name}: {why}" for name, why in failed.items())
        raise FailedError(f"not measured: {told} (the same command goes on with what is missing)")
    return result


def piece_settings(config: ThroughputConfig) -> dict[str, Any]:
    """What a piece's figures depend on; with any other value they are measured anew."""
    settings = {key: value for key, value in asdict(config).items() if key not in FREE}
    cuda = torch.cuda.is_available()
    settings |= {
        "seal": __version__,
        "packages": {name: _version(name) for name in PACKAGES},
        "device_name": torch.cuda.get_device_name() if cuda else "CPU",
        "threads": torch.get_num_threads(),
        "processes": int(os.environ.get("WORLD_SIZE", "1")),
    }
    plain: dict[str, Any] = json.loads(json.dumps(settings))
    return plain


def launch_piece(config: ThroughputConfig, recipe: str) -> dict[str, Any]:
    """In a process of its own, so that its peak memory is its own and it leaves nothing behind."""
    done = subprocess.run(
        [sys.executable, "-m", "seal.training.throughput", recipe, str(os.getpid())],
        input=json.dumps(asdict(config)).encode(),
        capture_output=True,
        check=False,
    )
    if done.returncode < 0:
        raise FailedError(f"its process was ended by signal {-done.returncode}")
    if done.returncode:
        told = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason was given"]
        raise FailedError("\n".join(told) if os.environ.get("SEAL_TRACEBACK") == "1" else told[-1])
    piece: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return piece


def _finished(path: Path, settings: dict[str, Any]) -> bool:
    """Whether the piece was measured as it would be now; if otherwise, say what is different."""
    if not path.exists():
        return False
    before = json.loads(path.read_text(encoding="utf-8"))["settings"]
    other = [key for key in sorted({*before, *settings}) if before.get(key) != settings.get(key)]
    if other:
        key = other[0]
        print(
            f"{path} was measured with {key}={before.get(key)}, not {settings.get(key)}: "
            "it is measured again",
            flush=True,
        )
    else:
        print(f"{path}: measured before", flush=True)
    return not other


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(content, indent=1) + "\n")


def _draw(pieces: list[dict[str, Any]], path: Path) -> None:
    if importlib.util.find_spec("matplotlib") is None:  # a bare GPU machine: the figures matter
        print(f"{path} is not drawn: that needs matplotlib", flush=True)
        return
    draw_chart(pieces, path)
