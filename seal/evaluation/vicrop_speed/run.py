"""Measure what there is to compare, all in one run, and write the ratios."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from seal.evaluation.store import write_json
from seal.evaluation.vicrop_speed.config import ViCropSpeedConfig
from seal.evaluation.vicrop_speed.piece import PIECES
from seal.failure import FailedError
from seal.pages.table import Table

RESULT = "vicrop_speed.json"
LIMITS = {"memory": 1.2, "time": 2.0}  # what a map may cost
Launch = Callable[[ViCropSpeedConfig, str], dict[str, Any]]


def measure(config: ViCropSpeedConfig, launch: Launch | None = None) -> dict[str, Any]:
    """Measure, and write vicrop_speed.json.

    Args:
        launch: runs one piece; None: in a process of its own.

    Raises:
        ValueError: there is no such device or model.
        RuntimeError: a piece failed.
    """
    from seal.inference.device import existing_device

    config = replace(config, device=existing_device(config.device))
    pieces = {}
    for piece in PIECES:
        print(f"{config.name}: {piece} ...", flush=True)
        pieces[piece] = (launch or launch_piece)(config, piece)
    seconds = pieces["seconds"]["seconds"]
    result = {
        "name": config.name,
        "settings": asdict(config),
        "ratios": {
            "memory_map_over_forward": pieces["map"]["peak"] / pieces["forward"]["peak"],
            "time_map_over_forward": seconds["map"] / seconds["forward"],
            "time_map_and_answer_over_answer": (
                (seconds["map"] + seconds["answer_with_crop"]) / seconds["answer"]
            ),
            "time_map_and_plain_answer_over_answer": (
                (seconds["map"] + seconds["answer"]) / seconds["answer"]
            ),
        },
        "limits": LIMITS,
        "pieces": pieces,
    }
    write_json(Path(config.out) / RESULT, result)
    return result


def launch_piece(config: ViCropSpeedConfig, piece: str) -> dict[str, Any]:
    """In a process of its own."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "seal.evaluation.vicrop_speed.piece", piece),
            json.dumps(asdict(config)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        told = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
        raise (ValueError if done.returncode == 2 else FailedError)(f"{piece}: {told}")
    measured: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return measured


def speed_table(result: Mapping[str, Any]) -> Table:
    """Memory, seconds, and the ratios with their limits."""
    pieces, ratios, limits = result["pieces"], result["ratios"], result["limits"]
    seconds = pieces["seconds"]["seconds"]
    crop = seconds["map"] + seconds["answer_with_crop"]
    rows = (
        (
            "peak memory, GB",
            f"forward {pieces['forward']['peak'] / 1e9:.3f}",
            f"map {pieces['map']['peak'] / 1e9:.3f}",
            f"{ratios['memory_map_over_forward']:.3f}",
            f"< {limits['memory']:g}",
        ),
        (
            "seconds",
            f"forward {seconds['forward']:.3f}",
            f"map {seconds['map']:.3f}",
            f"{ratios['time_map_over_forward']:.3f}",
            "",
        ),
        (
            "seconds",
            f"answer {seconds['answer']:.3f}",
            f"map, then answer with the crop {crop:.3f}",
            f"{ratios['time_map_and_answer_over_answer']:.3f}",
            f"< {limits['time']:g}",
        ),
        (
            "seconds",
            f"answer {seconds['answer']:.3f}",
            f"map, then the same answer {seconds['map'] + seconds['answer']:.3f}",
            f"{ratios['time_map_and_plain_answer_over_answer']:.3f}",
            f"< {limits['time']:g}",
        ),
    )
    settings = result["settings"]
    title = (
        f"{settings['method']} of {result['name']} at batch {settings['batch']}, "
        f"{settings['answer_tokens']} tokens an answer"
    )
    return Table(title, ("", "without", "with", "ratio", "wanted"), rows)
