from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from refer_files import instance, ref, write_refer

from seal.building.search_mixture.refcoco import RefcocoBuildConfig
from seal.data.record_set import RecordSet
from seal.schema import compose

ROOT = Path(__file__).resolve().parents[2]


def run(*overrides: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "seal", "data_builders/refcoco", *overrides]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_config_composes_with_its_own_fields() -> None:
    overrides = ["annotations=data/refcoco+", "images=i", "out=o", "split=testA"]
    overrides += ["exclude=[data/refcoco,data/refcoco+]"]
    config = compose(ROOT / "conf", "build", RefcocoBuildConfig, overrides)
    assert config.dataset == "refcoco+" and config.split == "testA"
    assert config.exclude == ["data/refcoco", "data/refcoco+"]


def test_the_program_builds_a_set_and_refuses_code(tmp_path: Path) -> None:
    folder = write_refer(tmp_path / "refcoco+", [ref(1, 7, "cup")], [instance(1, 7)])
    out = tmp_path / "out"
    done = run(f"annotations={folder}", f"images={tmp_path / 'photos'}", f"out={out}")
    assert done.returncode == 0, done.stderr
    assert f"1 records: {out}" in done.stdout
    assert RecordSet.open(out)[0].source == "refcocoplus" and (out / "report.html").is_file()
    (folder / "refs(unc).p").write_bytes(b"cposix\nsystem\n(S'true'\ntR.")
    done = run(f"annotations={folder}", f"images={tmp_path / 'photos'}", f"out={tmp_path / 'b'}")
    assert done.returncode == 2
    assert done.stderr.strip().count("\n") == 0 and "asks for posix.system" in done.stderr
