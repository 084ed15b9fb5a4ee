from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from coco_files import annotation, write_coco

from seal.building.language import LanguageConfig
from seal.building.vqa_mixture.negative import NegativeBuildConfig
from seal.data.record_set import RecordSet
from seal.schema import compose

ROOT = Path(__file__).resolve().parents[2]


def run(*overrides: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "seal", "data_builders/negative", *overrides]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_config_composes_with_its_own_fields() -> None:
    overrides = ["annotations=a.json", "images=i", "out=o", "two_share=0.5"]
    language = ["language.kind=openai", "language.model=m", "language.base_url=http://h:1/v1"]
    config = compose(ROOT / "conf", "build", NegativeBuildConfig, [*overrides, *language])
    assert config == NegativeBuildConfig(
        annotations="a.json",
        images="i",
        out="o",
        two_share=0.5,
        language=LanguageConfig(kind="openai", model="m", base_url="http://h:1/v1"),
    )


def test_the_program_builds_a_set(tmp_path: Path) -> None:
    path = write_coco(tmp_path, [annotation(0, 1, [10, 5, 10, 10])])
    out = tmp_path / "out"
    done = run(f"annotations={path}", f"images={tmp_path}", f"out={out}", "workers=1")
    assert done.returncode == 0, done.stderr
    assert f"3 records: {out}" in done.stdout
    assert len(RecordSet.open(out)) == 3 and (out / "report.html").is_file()


def test_a_wrong_language_is_one_line_and_exit_code_two(tmp_path: Path) -> None:
    path = write_coco(tmp_path, [])
    done = run(f"annotations={path}", f"images={tmp_path}", "out=o", "language.kind=magic")
    assert done.returncode == 2
    assert done.stderr.strip().count("\n") == 0 and "language.kind='magic'" in done.stderr
