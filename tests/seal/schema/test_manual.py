"""`--help` of a program: its docstring, its keys, and the files it can choose; nothing imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from programs_here import ROOT

from seal.commands import programs
from seal.schema.manual import choices, class_entries, manual

PROGRAM = '''"""Do it.

Slowly.
"""
from dataclasses import dataclass, field
from seal.schema import program

@dataclass(kw_only=True)
class Part:
    size: int | None = None  # pixels

@dataclass(kw_only=True)
class Base:
    out: str  # the folder to write

@dataclass(kw_only=True)
class Run(Base):
    part: Part = field(default_factory=Part)
    # Who is meant:
    # one or several.
    names: list[str] = field(default_factory=lambda: ["a"])

@program("toy", Run)
def main(run: Run) -> None: ...
'''


@pytest.fixture
def toy(tmp_path) -> Path:
    (tmp_path / "toy.py").write_text(PROGRAM)
    for group in ("experiment", "part"):
        (tmp_path / "conf" / group).mkdir(parents=True)
    conf = tmp_path / "conf"
    (conf / "toy.yaml").write_text("defaults:\n  - _self_\n  - part: null\n  - experiment: null\n")
    (conf / "part" / "small.yaml").write_text("size: 1\n")
    (conf / "part" / "other.yaml").write_text("weight: 1\n")
    for name, text in {
        "leaves_out_unset": "names: [b]\n",
        "fits": "defaults:\n  - override /part: small\nout: x\n",
        "chooses_another": "defaults:\n  - override /part: other\nout: x\n",
        "sets_another": "part:\n  weight: 1\n",
        "has_no_group": "defaults:\n  - override /model: big\n",
        "follows": "defaults:\n  - fits\nnames: [b]\n",
    }.items():
        (conf / "experiment" / f"{name}.yaml").write_text(f"# @package _global_\n{text}")
    return tmp_path


def test_the_manual_is_the_docstring_the_keys_and_the_choices(toy):
    assert manual(toy / "toy.py", toy / "conf").splitlines() == [
        "Do it.",
        "",
        "Slowly.",
        "",
        "keys, each written key=value:",
        f"{'  out: str has to be set':<48}  # the folder to write",
        f"{'  part.size: int | None = None':<48}  # pixels",
        "  names: list[str] = ['a']".ljust(48) + "  # Who is meant: one or several.",
        "",
        "experiment=NAME, one of:",
        "  fits  follows",
        "",
        "part=NAME, one of:",
        "  small",
    ]


def test_the_experiments_of_a_program_are_those_it_can_run():
    def offered(name: str, config_name: str, schema: str) -> set[str]:
        path = ROOT / f"{name}.py"
        return set(choices(ROOT / "conf", config_name, class_entries(path, schema))["experiment"])

    vqa = offered("train/vqa", "train_vqa", "VQARun")
    vsm = offered("train/vsm", "train_vsm", "VSMRun")
    benchmark = offered("eval/benchmark", "eval", "BenchmarkRun")
    assert {name.partition("_")[0] for name in vqa} <= {
        "vqa",
        "avg",
        "seal",
    } and "vqa_instruct_7b" in vqa
    assert {name.partition("_")[0] for name in vsm} == {"vsm"} and "vsm_7b" in vsm
    assert benchmark == {
        "seal_vstar_bench", "seal_vstar_bench_as_released", "seal_general", "vicrop_vstar_bench",
        "qwen3_vl_vstar_bench", "owlvit_vstar_bench", "grounding_dino_vstar_bench",
        "vicrop_general", "avg_general",
    }  # fmt: skip
    search = {"vsm_vstar_search", "vsm_coco_search18"}
    files = {path.stem for path in (ROOT / "conf" / "experiment").glob("*.yaml")}
    assert offered("eval/search", "eval_search", "SearchRun") == search
    assert vqa | vsm | benchmark | search == files


def test_a_file_that_chooses_others_into_places_of_their_own_is_offered():
    entries = class_entries(ROOT / "seal/evaluation/tables/published.py", "TablesRun")
    offered = choices(ROOT / "conf", "tables", entries)["table"]
    assert {"all", "vstar_bench"} <= set(offered)
    without = {key: entry for key, entry in entries.items() if key != "tables"}
    assert "all" not in choices(ROOT / "conf", "tables", without)["table"]


@pytest.mark.parametrize("name", programs.names())
def test_every_program_has_a_manual_with_every_key_it_reads(name, capsys):
    assert programs.run(name, ["limit=3", "--help"]) == 0
    text = capsys.readouterr().out
    keys = text.partition("keys, each written key=value:\n")[2].partition("\n\n")[0]
    assert len(text.partition("\n")[0]) > 10 and len(keys.splitlines()) >= 3
    assert "Powered by Hydra" not in text and "Use --hydra-help" not in text


def test_help_imports_no_torch(tmp_path):
    code = (
        "import sys; from seal.cli import main; code = main(['train/vsm', '--help']); "
        "sys.exit(code or 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, timeout=60
    )
    assert done.returncode == 0
