"""One stage of a demo: a command that a user could type, what it reads and what it writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Stage:
    """One command line.

    `expected_seconds` (on some machine with 2 cores) and `bar` only feed the estimate of the time
    left.
    """

    name: str
    command: tuple[str, ...]  # as a user would type it after `python -m`
    expected_seconds: float
    # Stamps of the stages this one reads: a new run of them renews it.
    inputs: tuple[Path, ...] = ()
    # What it writes. An interrupted run goes on in it; one with another command or other inputs
    # starts without it.
    output: Path | None = None
    bar: str | None = None  # what its progress bar is called, where one bar tells of all its work
