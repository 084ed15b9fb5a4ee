"""How a command shows results: lines for people, an object for programs, pictures and traces."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seal.files.whole import write_whole
from seal.search.strategies import EVERY

if TYPE_CHECKING:
    from PIL.Image import Image

    from seal.pipeline import Answer
    from seal.search.result import SearchResult


def answer_lines(answer: Answer) -> list[str]:
    """The answer itself, then indented what stands behind it."""
    lines = [answer.text]
    if answer.probabilities:
        lines.append(f"  options: {answer.told_options}")
    lines += [f"  {result}" for result in answer.searches]
    if answer.levels:
        lines.append(f"  {_levels(answer)}")
    if answer.left_out:
        lines.append(f"  {answer.left_out} of these were not shown: the VQA LLM's context was full")
    return lines


def search_facts(result: SearchResult) -> dict[str, Any]:
    """The verdict of a search in a line, without the way there."""
    return {
        "target": result.target,
        "found": result.found,
        "boxes": [[b.x0, b.y0, b.x1, b.y1] for b in result.boxes],
        "scores": list(result.scores),
        "regions": len(result.path),
        **({"stopped_early": result.stopped_early} if result.stopped_early else {}),
        **({"count": result.count} if result.strategy == EVERY else {}),
    }


def save_searches(
    folder: Path | None, image: Image, name: str, results: Iterable[SearchResult]
) -> list[str]:
    """A picture and a trace of each search; returns their paths. Never over what is there.

    `folder=None`: nothing. `name`: of the picture, without its kind.
    """
    if folder is None:
        return []
    from seal.search.draw import draw_path
    from seal.search.draw_map import map_cells
    from seal.search.trace import to_dict

    saved, number = [], 0
    for result in results:
        stem = f"{folder / name}-{number}"
        while os.path.exists(f"{stem}.png") or os.path.exists(f"{stem}.json"):  # of an earlier call
            number += 1
            stem = f"{folder / name}-{number}"
        stream = io.BytesIO()
        draw_path(image, result).save(stream, "PNG")
        write_whole(f"{stem}.png", stream.getvalue())
        trace = to_dict(result, heat_cells=map_cells(result))
        write_whole(f"{stem}.json", json.dumps(trace, indent=1))
        saved += [f"{stem}.png", f"{stem}.json"]
    return saved


def require_writable(folder: Path) -> None:
    """Make the folder that pictures go to, or say why that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"--save-path {folder}: cannot be made: {error.strerror or error}; name another folder"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(f"--save-path {folder}: you may not write there; name another folder")


def _levels(answer: Answer) -> str:
    """How finely each picture was read for the answer, and what the question took in all."""
    image, *crops = answer.levels
    told = f"read at level {image}"
    if crops:
        told += f", {'crops' if len(crops) > 1 else 'crop'} at {', '.join(map(str, crops))}"
    return f"{told}: {answer.cost['answer_model']['visual_tokens']:,.0f} visual tokens in all"
