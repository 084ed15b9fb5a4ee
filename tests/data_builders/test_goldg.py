from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from goldg_files import annotation, entry, spans, write_goldg

from seal.building.search_mixture.goldg import GoldgBuildConfig
from seal.data.record_set import RecordSet
from seal.schema import compose

ROOT = Path(__file__).resolve().parents[2]


def test_the_config_composes_with_its_own_fields() -> None:
    overrides = ["annotations=a.json", "images=i", "out=o", "source=mine"]
    config = compose(ROOT / "conf", "build", GoldgBuildConfig, overrides)
    assert config == GoldgBuildConfig(annotations="a.json", images="i", out="o", source="mine")


def test_the_program_builds_a_set(tmp_path: Path) -> None:
    path = write_goldg(tmp_path / "a.json", [entry(1, "5.jpg")], [annotation(0, 1, spans("man"))])
    out = tmp_path / "out"
    settings = [f"annotations={path}", f"images={tmp_path / 'photos'}", f"out={out}"]
    command = [sys.executable, "-m", "seal", "data_builders/goldg", *settings]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"1 records: {out}" in done.stdout
    assert len(RecordSet.open(out)) == 1 and (out / "report.html").is_file()
