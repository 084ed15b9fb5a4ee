"""A golden set that is missing skips; one that lacks a file or holds an altered one fails."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import golden_files
import pytest
from golden_files import GROUPS, OWN, OWN_GROUPS, golden_path, known_sums
from golden_report import cases_of, table

TESTS = Path(__file__).resolve().parent
LIGHT = TESTS / "seal" / "test_geometry.py"  # compares `splits`, and imports little


def run_with(folder: Path, *arguments: str) -> tuple[int, str]:
    """pytest on one small module with another golden folder: exit status and what it printed."""
    plugins = ["-p", "no:cacheprovider", *(["-p", "xdist.plugin"] if "-n" in arguments else [])]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    # Without the installed plugins a run takes a third of a second.
    alone = {"SEAL_GOLDENS": str(folder), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "-m", "goldens", *plugins, *arguments, LIGHT],
        cwd=TESTS.parent,
        env=kept | alone,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def counts_of(group: str, said: str) -> list[int]:
    """Passed, failed and skipped cases in the table at the end."""
    (line,) = re.findall(rf"^{group} .*$", said, re.MULTILINE)
    return [int(count) for count in line.split()[1:]]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(OWN, tmp_path / "goldens"))


def rewrite(folder: Path, name: str, change: tuple[str, str] | None = None) -> None:
    """The same values in another file, as another set has; then one text is changed."""
    text = json.dumps(json.loads((folder / name).read_text()), indent=1)
    if change is not None:
        assert change[0] in text
        text = text.replace(*change, 1)
    (folder / name).write_text(text)


def test_the_fixtures_of_the_project_are_the_known_set_and_hold_their_groups():
    kept = {path.relative_to(OWN).as_posix() for path in OWN.rglob("*") if path.is_file()}
    kept -= {"README.md", "SHA256SUMS"}
    assert kept == {name for group in OWN_GROUPS for name in GROUPS[group]}
    for name in kept:
        assert hashlib.sha256((OWN / name).read_bytes()).hexdigest() == known_sums()[name]


def test_a_whole_set_passes_with_its_cases_counted(copied):
    status, said = run_with(copied)
    assert status == 0, said
    cases = json.loads((copied / "splits.json").read_text())
    expected = len(cases["iou"]) + len(cases["normalize_bbox"])
    assert counts_of("splits", said) == [expected, 0, 0]


def test_counts_are_the_same_from_xdist_workers(copied):
    _, alone = run_with(copied)
    _, spread = run_with(copied, "-n", "2")
    assert counts_of("splits", spread) == counts_of("splits", alone)


def test_a_missing_folder_skips_with_its_name(tmp_path):
    status, said = run_with(tmp_path / "nowhere")
    assert status == 0 and "2 skipped" in said, said
    assert "no golden vectors in" in said and "SEAL_GOLDENS" in said


def test_a_folder_that_lacks_a_file_fails_and_names_it(copied):
    (copied / "splits.safetensors").unlink()
    status, said = run_with(copied)
    assert status == 1 and counts_of("splits", said) == [0, 2, 0], said
    assert "lacks splits.safetensors" in said


def test_a_folder_with_an_altered_file_fails_even_where_no_number_is_compared(copied):
    rewrite(copied, "splits.json", ('"public"', '"publik"'))
    status, said = run_with(copied)
    assert status == 1 and "altered in" in said and "splits.json" in said, said


def test_a_file_that_is_cut_short_fails(copied):
    text = (copied / "splits.json").read_text()
    (copied / "splits.json").write_text(text[: len(text) // 2])
    status, said = run_with(copied)
    assert status == 1 and counts_of("splits", said) == [0, 2, 0], said
    assert "cannot be read" in said


def test_another_set_is_checked_by_its_numbers(copied):
    """No file has a known checksum, as in a set of other seeds: the comparisons decide."""
    for path in copied.rglob("*"):
        if path.suffix == ".json":
            rewrite(copied, path.relative_to(copied).as_posix())
        elif path.is_file():
            path.write_bytes(path.read_bytes() + b" ")
    status, said = run_with(copied)
    assert status == 0, said
    cases = json.loads((copied / "splits.json").read_text())
    first = next(i for i, case in enumerate(cases["iou"]) if case["iou"] > 0)
    value = cases["iou"][first]["iou"]
    rewrite(copied, "splits.json", (f'"iou": {value}', f'"iou": {value + 1e-6}'))
    status, said = run_with(copied)
    before = first + len(cases["normalize_bbox"])  # those behind it are not looked at
    assert status == 1 and counts_of("splits", said) == [before, 1, 0], said


def test_a_set_of_vicrop_lies_in_its_own_folder_with_its_own_pictures(tmp_path, monkeypatch):
    monkeypatch.setattr(golden_files, "VICROP", tmp_path)
    assert golden_path("vicrop/boxes.json") == tmp_path / "boxes.json"
    assert golden_path("boxes.json") == golden_files.GOLDENS / "boxes.json"
    wrong, skipped = golden_files.what_is_wrong.__wrapped__, golden_files.why_skipped.__wrapped__
    assert "cannot be read" in (wrong("vicrop_highpass") or "")
    (tmp_path / "highpass.json").write_text('{"cases": [{"file": "hp_x.png"}]}')
    (tmp_path / "highpass.safetensors").write_bytes(b"")
    assert f"{tmp_path} lacks vicrop/hp_x.png" in (wrong("vicrop_highpass") or "")
    (tmp_path / "hp_x.png").write_bytes(b"")
    assert wrong("vicrop_highpass") is None
    assert skipped("vicrop_highpass") is None
    monkeypatch.setattr(golden_files, "VICROP", tmp_path / "nowhere")
    assert "SEAL_GOLDENS_VICROP" in (skipped("vicrop_highpass") or "")


def test_cases_before_the_one_that_failed_have_passed():
    assert cases_of("passed", 0) == {"passed": 1}
    assert cases_of("passed", 7) == {"passed": 7}
    assert cases_of("failed", 0) == {"passed": 0, "failed": 1}
    assert cases_of("failed", 3) == {"passed": 2, "failed": 1}
    assert cases_of("skipped", 0) == {"skipped": 1}


def test_the_table_has_a_line_a_group_and_their_sum():
    cases = {"splits": Counter(passed=3), "losses": Counter(passed=2, failed=1, skipped=4)}
    lines = [line.split() for line in table(cases)]
    assert lines[1:] == [
        ["losses", "2", "1", "4"],
        ["splits", "3", "0", "0"],
        ["all", "5", "1", "4"],
    ]
