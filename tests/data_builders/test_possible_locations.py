from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from coco_files import annotation, write_coco
from tiny_clip import write_clip

from seal.building.search_mixture.possible_locations import PossibleLocationsBuildConfig
from seal.data.record_set import RecordSet
from seal.schema import compose

ROOT = Path(__file__).resolve().parents[2]


def run(cache: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "seal", "data_builders/possible_locations", *overrides]
    environment = os.environ | {"SEAL_CACHE": str(cache)}
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment
    )


def test_the_config_composes_with_its_own_fields() -> None:
    overrides = ["annotations=a.json", "captions=c.json", "images=i", "out=o", "clip=org/clip"]
    config = compose(ROOT / "conf", "build", PossibleLocationsBuildConfig, overrides)
    assert config == PossibleLocationsBuildConfig(
        annotations="a.json", captions="c.json", images="i", out="o", clip="org/clip"
    )


def test_the_program_builds_a_set_with_clip(tmp_path: Path) -> None:
    path = write_coco(tmp_path, [annotation(i, 1 + i, [10, 5, 10, 10]) for i in range(3)])
    entries = [{"image_id": i, "caption": "A photo."} for i in range(3)]
    captions = tmp_path / "captions.json"
    captions.write_text(json.dumps({"annotations": entries}))
    out, cache = tmp_path / "out", tmp_path / "cache"
    clip = write_clip(tmp_path / "clip")
    done = run(
        cache,
        f"annotations={path}",
        f"captions={captions}",
        f"images={tmp_path}",
        f"out={out}",
        f"clip={clip}",
    )
    assert done.returncode == 0, done.stderr
    assert f"6 records: {out}" in done.stdout
    assert len(RecordSet.open(out)) == 6 and (out / "report.html").is_file()
    assert len(list((cache / "features").glob("*/rows.npy"))) == 1
