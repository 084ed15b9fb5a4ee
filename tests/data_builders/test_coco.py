from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from coco_files import annotation, write_coco

from seal.building.coco.detection import CocoBuildConfig
from seal.data.record_set import RecordSet
from seal.schema import compose

ROOT = Path(__file__).resolve().parents[2]


def run(*overrides: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "seal", "data_builders/coco", *overrides]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_config_composes_with_its_own_fields() -> None:
    overrides = ["annotations=a.json", "images=i", "out=o", "limit=3", "num_absent=7"]
    config = compose(ROOT / "conf", "build", CocoBuildConfig, overrides)
    assert config == CocoBuildConfig(
        annotations="a.json", images="i", out="o", limit=3, num_absent=7
    )


def test_the_program_builds_a_set(tmp_path: Path) -> None:
    path = write_coco(tmp_path, [annotation(0, 1, [10, 5, 10, 10])])
    out = tmp_path / "out"
    done = run(f"annotations={path}", f"images={tmp_path}", f"out={out}")
    assert done.returncode == 0, done.stderr
    assert f"1 records: {out}" in done.stdout
    assert len(RecordSet.open(out)) == 1 and (out / "report.html").is_file()


def test_a_wrong_source_is_one_line_and_exit_code_two(tmp_path: Path) -> None:
    done = run("annotations=none.json", f"images={tmp_path}", f"out={tmp_path / 'out'}")
    assert done.returncode == 2
    assert done.stderr.strip().count("\n") == 0 and "none.json is not a file" in done.stderr
