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
from seal.evaluation.speed.piece import MODELS, SEARCHES, piece_path
from seal.evaluation.speed.report import draw_chart, tables
from seal.evaluation.speed.script import search_lengths
from seal.evaluation.speed.search_chart import draw_searches
from seal.evaluation.speed.search_figures import search_figures
from seal.evaluation.speed.search_plan import measured_legs, missing_legs, search_settings
from seal.evaluation.store import write_json
from seal.failure import FailedError
from seal.pages.measured import write_measured

RESULT = "speed.json"
CHART = "speed.png"
SEARCH_CHART = "search.png"
PAGE = "speed.html"
# Settings that have nothing to do with the precisions.
SEARCHES_ALONE = (
    "ways", "batches", "repeats", "sizes", "dtype", "searched_image_size", "vsm", "benchmark",
    "limit", "most_minutes",
)  # fmt: skip
Launch = Callable[[SpeedConfig, str, dict[str, Any]], None]


def measure(config: SpeedConfig, launch: Launch | None = None) -> dict[str, Any]:
    """Measure what was not, and write speed.json, speed.html and its charts of all of it.

    Args:
        launch: runs one piece; None: in a process of its own.

    Raises:
        ValueError: there is no such device.
        RuntimeError: pieces failed, or paths of the search give other answers; what was measured
            is written nevertheless.
    """
    from seal.inference.load import existing_device

    launch = launch or launch_piece
    device = existing_device(config.device)
    config = replace(config, device=device)
    here = environment(device)
    failed: dict[str, str] = {}
    result: dict[str, Any] = {"name": config.name, "device": here["device_name"]}
    result |= _precisions(config, here, launch, failed)
    if config.ways:
        result |= _searches(config, here, launch, failed)
    result["failed"] = failed
    if result["pieces"] or result.get("searches"):
        write_json(Path(config.out) / RESULT, result)
    if result["pieces"]:
        _draw(draw_chart, result, Path(config.out) / CHART)
    if result.get("searches"):
        _draw(draw_searches, result, Path(config.out) / SEARCH_CHART)
    if result["pieces"] or result.get("searches"):
        _write_page(result, Path(config.out))
    if failed:
        told = "; ".join(f"{name}: {why}" for name, why in failed.items())
        raise FailedError(f"not measured: {told} (the same command goes on with what is missing)")
    _require_equal(result)
    return result


def _precisions(
    config: SpeedConfig, here: dict[str, Any], launch: Launch, failed: dict[str, str]
) -> dict[str, Any]:
    settings = piece_settings(config, here)
    missing = [name for name in config.precisions if not _finished(config, name, settings)]
    if missing and not models_made(config):
        print(f"{config.name}: random weights in {Path(config.out) / MODELS}", flush=True)
        launch(config, MODELS, settings)
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
    lengths = [list(pair) for pair in search_lengths(config.questions)]
    return {"lengths": lengths, "pieces": pieces}


def _searches(
    config: SpeedConfig, here: dict[str, Any], launch: Launch, failed: dict[str, str]
) -> dict[str, Any]:
    """The figures of each size by name, and the first one's ratios."""
    found: dict[str, Any] = {}
    for size in config.sizes or [config.size]:
        one = replace(config, size=size, sizes=[])
        settings = search_settings(one, _settings(one, here))
        for dtype, legs in missing_legs(one, settings):
            names = ", ".join(dict.fromkeys(leg.name for leg in legs))
            print(f"searches of {one.search_name} in {dtype}: {names}", flush=True)
            try:
                launch(one, f"{SEARCHES}{dtype}", settings)
            except RuntimeError as error:
                failed[f"searches of {one.search_name} in {dtype}"] = str(error)
        if not any(True for _ in missing_legs(one, settings)):
            found[one.search_name] = search_figures(one, measured_legs(one))
    if not found:
        return {"searches": {}}
    return {"searches": found, "ratios": next(iter(found.values()))["ratios"]}


def _require_equal(result: dict[str, Any]) -> None:
    """In float32 all paths of our own engine must give the same answers.

    Raises:
        FailedError: one does not; the figures are written nevertheless.
    """
    for name, figures in result.get("searches", {}).items():
        wrong = [each["path"] for each in figures["equality"] if each["holds"] is False]
        if wrong:
            raise FailedError(
                f"searches of {name}: {', '.join(wrong)} give other answers than the engine "
                "without levers; speed.json lists them under equality"
            )


def piece_settings(config: SpeedConfig, here: dict[str, Any]) -> dict[str, Any]:
    """What a precision's figures depend on; with any other value they are measured anew."""
    settings = _settings(config, here)
    for key in ("out", "precisions", *SEARCHES_ALONE):
        del settings[key]
    return settings


def _settings(config: SpeedConfig, here: dict[str, Any]) -> dict[str, Any]:
    keys = ("seal", "packages", "device_name", "threads")
    settings = asdict(config) | {key: here[key] for key in keys}
    settings["threads"] = config.threads or here["threads"]
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


def _write_page(result: dict[str, Any], out: Path) -> None:
    charts = []
    if result["pieces"]:
        charts.append((out / CHART, "Seconds of a question by its parts; memory of both models."))
    if result.get("searches"):
        charts.append((out / SEARCH_CHART, "The time of a region by path, and regions a second."))
    title = f"Speed: {result['name']} on {result['device']}"
    write_measured(out / PAGE, title, tables=tables(result), charts=charts)


def _draw(draw: Callable[[dict[str, Any], Path], None], result: dict[str, Any], path: Path) -> None:
    if importlib.util.find_spec("matplotlib") is None:  # a bare GPU machine: the figures matter
        print(f"{path} is not drawn: that needs matplotlib", flush=True)
        return
    draw(result, path)
