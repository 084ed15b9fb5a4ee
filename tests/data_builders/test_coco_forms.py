"""The builders of data sets in COCO's form, as programs: configuration, one set, one error."""

from __future__ import annotations

from pathlib import Path

import pytest
from coco_files import annotation, write_coco
from programs_here import ROOT, run_program

from seal.building.coco.objects365 import Objects365BuildConfig
from seal.building.coco.paco_lvis import PacoLvisBuildConfig
from seal.building.coco.stuff import CocoStuffBuildConfig
from seal.building.records.writer import BuildConfig
from seal.data.record_set import RecordSet
from seal.schema import compose

CONFIGS = {
    "coco_stuff": CocoStuffBuildConfig,
    "objects365": Objects365BuildConfig,
    "paco_lvis": PacoLvisBuildConfig,
}


@pytest.mark.parametrize("name", CONFIGS)
def test_the_config_composes(name: str) -> None:
    overrides = ["annotations=a.json", "images=i", "out=o", "num_absent=7", "check_images=false"]
    overrides += ["stuff=s.json", "maps=m"] if name == "coco_stuff" else []
    config: BuildConfig = compose(ROOT / "conf", "build", CONFIGS[name], overrides)
    assert type(config) is CONFIGS[name] and (config.annotations, config.out) == ("a.json", "o")


@pytest.mark.parametrize("name", ["objects365", "paco_lvis"])
def test_the_program_builds_a_set(tmp_path: Path, name: str) -> None:
    path = write_coco(tmp_path, [annotation(0, 1, [10, 5, 10, 10])])
    out = tmp_path / "out"
    folders = [f"annotations={path}", f"images={tmp_path}", f"out={out}", "workers=2"]
    assert run_program(f"data_builders/{name}", *folders) == 0
    records = RecordSet.open(out)
    assert [record.source for record in records] == [name]
    assert records.description["builder"] == name and (out / "report.html").is_file()


@pytest.mark.parametrize("name", CONFIGS)
def test_a_wrong_source_is_one_line_and_exit_code_two(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    more = [f"maps={tmp_path}", "stuff=s.json"] if name == "coco_stuff" else []
    folders = ["annotations=none.json", f"images={tmp_path}", f"out={tmp_path / 'out'}"]
    assert run_program(f"data_builders/{name}", *folders, *more) == 2
    error = capsys.readouterr().err.strip()
    assert "\n" not in error and "annotations=none.json is not a file" in error
