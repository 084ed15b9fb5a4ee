from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fuzz import run_cases
from fuzz_sources import SOURCES

from seal.data.record_set import RecordSet


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def check(folder: Path, cases: int, seed: int) -> None:
    start = time.monotonic()
    ends, failures = run_cases(folder, cases, seed)
    print(f"{cases} cases in {time.monotonic() - start:.0f} s: {dict(ends)}")
    assert not failures, f"{len(failures)} of {cases} cases:\n" + "\n".join(failures[:20])
    # Else the damage is none that a builder could notice, or none that it could survive.
    assert all(ends[end] >= cases / 50 for end in ("error", "skipped", "changed", "unchanged"))


def test_damaged_sources_end_in_an_error_or_a_counted_skip(tmp_path: Path) -> None:
    check(tmp_path, 100, seed=0)


@pytest.mark.slow
def test_thousands_of_damaged_sources_end_in_an_error_or_a_counted_skip(tmp_path: Path) -> None:
    check(tmp_path, 2800, seed=1)


def test_a_builder_that_hides_what_is_broken_is_caught(tmp_path: Path) -> None:
    source = SOURCES[0]

    def forgiving(config: Any) -> RecordSet:
        try:
            return source.build(config)
        except ValueError:
            clean = source.config(tmp_path / "coco" / "clean")
            return source.build(replace(clean, out=config.out, limit=2))

    ends, failures = run_cases(tmp_path, 30, 0, [replace(source, build=forgiving)])
    assert ends["error"] == 0 and len(failures) >= 10


def test_a_builder_with_a_bare_traceback_is_caught(tmp_path: Path) -> None:
    source = SOURCES[0]

    def careless(config: Any) -> RecordSet:
        try:
            return source.build(config)
        except ValueError as error:
            raise KeyError(str(error)) from error

    _, failures = run_cases(tmp_path, 10, 0, [replace(source, build=careless)])
    assert any("KeyError" in failure for failure in failures)
