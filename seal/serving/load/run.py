"""Asks a server everything one at a time, then everything at once, and compares."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from seal.failure import FailedError
from seal.files.whole import write_whole
from seal.pages.table import Table
from seal.serving.load.config import ServeLoadConfig
from seal.serving.load.requests import Reply, requests_of, send_all


def measure(config: ServeLoadConfig) -> dict[str, Any]:
    """Both ways, with their figures; written to OUT/serve_load.json.

    Raises:
        ValueError: the folder is no benchmark.
        FailedError: the server did not start.
    """
    assert config.benchmark is not None
    bodies = requests_of(config.benchmark, config.model, config.limit)
    with _server(config) as address:
        send_all(address, bodies[:1], 1, config.timeout)  # the first request also makes things
        alone, alone_seconds = send_all(address, bodies, 1, config.timeout)
        together, seconds = send_all(address, bodies, config.concurrency, config.timeout)
    equal = sum(
        one.found is not None and one.found == other.found
        for one, other in zip(alone, together, strict=True)
    )
    figures = {
        "questions": len(bodies),
        "concurrency": config.concurrency,
        "lost": sum(reply.status is None for reply in together),
        "refused": sum(reply.status not in (None, 200) for reply in together),
        "equal": equal,
        "alone": _figures(alone, alone_seconds),
        "together": _figures(together, seconds),
        "ratio": alone_seconds / seconds,
    }
    out = Path(config.out)
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / "serve_load.json", json.dumps(figures | {"config": asdict(config)}, indent=1))
    return figures


def load_table(figures: dict[str, Any]) -> Table:
    """What was measured, for people."""
    names = (("alone", "one at a time"), ("together", f"{figures['concurrency']} at a time"))
    rows = [
        (
            told,
            f"{figures[name]['per_second']:.2f}",
            f"{figures[name]['median_seconds']:.2f}",
            f"{figures[name]['slowest_seconds']:.2f}",
        )
        for name, told in names
    ]
    return Table(
        title=f"{figures['questions']} questions to a server",
        head=("", "questions a second", "median seconds", "slowest"),
        rows=tuple(rows),
        notes=(
            f"Together {figures['ratio']:.1f} times as many a second. Lost: {figures['lost']}; "
            f"refused: {figures['refused']}; the same answer, visits and boxes as alone: "
            f"{figures['equal']} of {figures['questions']}.",
        ),
    )


def _figures(replies: Sequence[Reply], seconds: float) -> dict[str, float]:
    each = sorted(reply.seconds for reply in replies)
    return {
        "seconds": seconds,
        "per_second": len(each) / seconds,
        "median_seconds": each[len(each) // 2],
        "slowest_seconds": each[-1],
    }


@contextlib.contextmanager
def _server(config: ServeLoadConfig) -> Iterator[str]:
    """The address of a server: the one that is named, or one in a process of its own."""
    if config.address is not None:
        yield config.address.rstrip("/")
        return
    command = [sys.executable, "-m", "seal", "serve", "--port", "0", "--vqa", config.vqa]
    command += ["--model-name", config.model, "--timeout", f"{config.timeout}"]
    command += ["--max-waiting", f"{max(256, config.concurrency)}"]
    command += [] if config.vsm is None else ["--vsm", config.vsm]
    command += [] if config.device is None else ["--device", config.device]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ.copy())
    assert process.stderr is not None
    lines: list[str] = []
    try:
        for line in process.stderr:
            lines.append(line.strip())
            if line.startswith("serving "):
                yield line.removeprefix("serving ").strip()
                return
        raise FailedError(f"the server did not start: {lines[-1] if lines else 'it said nothing'}")
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(60)
        process.kill()
