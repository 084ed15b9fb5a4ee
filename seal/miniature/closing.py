"""The last lines of a demo: its result, how long it took, and what to type next."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from pathlib import Path

from seal.evaluation.results.result_tables import percent
from seal.miniature.time_left import told


def closing_lines(out: Path, seconds: float) -> list[str]:
    """What a person reads when the demo in `out` has ended."""
    accuracy = json.loads((out / "metrics.json").read_text(encoding="utf-8"))["accuracy"]
    none, guided = (accuracy[name]["overall"] for name in ("none", "guided"))
    lines = [
        "",
        f"Done in {told(seconds)}. Of {guided['n']} held-out questions were answered right:",
        f"  without a search  {percent(none)} %",
        f"  with the search   {percent(guided)} %",
        f"The report, pictures first: {shown_path(out / 'report.html')}",
        "",
        "Next:",
    ]
    models = f"--vqa {shown_path(out / 'vqa')} --vsm {shown_path(out / 'vsm')}"
    if (asked := _question(out / "data" / "benchmark")) is not None:
        image, question = asked
        lines.append(f"  {_seal()} ask {shown_path(image)} {shlex.quote(question)} {models}")
    lines.append(f"  {_seal()} app {models}")
    return lines


def shown_path(path: Path) -> str:
    """A path as one would type it here: relative where that is shorter."""
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


def _question(benchmark: Path) -> tuple[Path, str] | None:
    """The first question of a benchmark about things that are there, and its image."""
    for path in sorted(benchmark.glob("*/*.json")):
        told = json.loads(path.read_text(encoding="utf-8"))
        image = path.with_suffix(".jpg")
        if told.get("question") and None not in told.get("bbox", [None]) and image.is_file():
            return image, str(told["question"])
    return None


def _seal() -> str:
    """How `seal` is called here: by its name, or where it stands beside this Python."""
    if shutil.which("seal") is not None:
        return "seal"
    beside = Path(sys.executable).parent / "seal"
    return shown_path(beside) if beside.is_file() else f"{shown_path(Path(sys.executable))} -m seal"
