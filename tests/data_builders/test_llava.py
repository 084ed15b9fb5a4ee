from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from llava_files import entry, write_llava

from seal.building.vqa_mixture.llava import LlavaBuildConfig
from seal.data.record_set import RecordSet
from seal.schema import compose

ROOT = Path(__file__).resolve().parents[2]


def test_the_config_composes_with_its_own_fields() -> None:
    overrides = ["annotations=a.json", "images=i", "out=o", "max_question=4000", "text_only=false"]
    config = compose(ROOT / "conf", "build", LlavaBuildConfig, overrides)
    assert config == LlavaBuildConfig(
        annotations="a.json", images="i", out="o", max_question=4000, text_only=False
    )


def test_the_program_builds_a_set(tmp_path: Path) -> None:
    path = write_llava(tmp_path / "a.json", [entry()])
    out = tmp_path / "out"
    settings = [f"annotations={path}", f"images={tmp_path / 'photos'}", f"out={out}"]
    command = [sys.executable, "-m", "seal", "data_builders/llava", *settings]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"1 records: {out}" in done.stdout
    assert len(RecordSet.open(out)) == 1 and (out / "report.html").is_file()
