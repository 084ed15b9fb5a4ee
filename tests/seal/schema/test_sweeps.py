"""`-m`: every run of a sweep is started and finished, and those that fail are told at the end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.core.hydra_config import HydraConfig
from programs_here import ROOT

from seal.schema import compose
from seal.schema.sweeps import sweep
from seal.training.recipe import VSMRun

PROGRAM = '''"""A program."""
from __future__ import annotations
import os
from dataclasses import dataclass
from pathlib import Path
from seal.schema import program

@dataclass(kw_only=True, slots=True)
class Run:
    size: int
    name: str
    out: str

@program("work", Run)
def main(run: Run) -> None:
    if run.size == 2:
        raise FloatingPointError("the loss is not finite")
    where = Path(run.out, run.name)
    rank, size = (os.environ.get(name, "-") for name in ("RANK", "WORLD_SIZE"))
    with (where / "said.txt").open("a") as file:
        file.write(f"{run.size} {rank} {size}\\n")

if __name__ == "__main__":
    main()
'''


@pytest.fixture
def program(tmp_path) -> Path:
    (tmp_path / "tools").mkdir()
    (tmp_path / "conf").mkdir()
    (tmp_path / "tools" / "work.py").write_text(PROGRAM)
    (tmp_path / "conf" / "work.yaml").write_text(
        "defaults:\n  - work_schema\n  - _self_\n"
        "hydra:\n  sweep:\n    dir: ${out}\n    subdir: ${name}\n"
    )
    return tmp_path / "tools" / "work.py"


def run(program: Path, *words: str) -> tuple[int, str, dict[str, str]]:
    """Exit code, what was said, and what each run left."""
    out = program.parents[1] / "runs"
    done = subprocess.run(
        [sys.executable, str(program), "-m", "name=s${size}", f"out={out}", *words],
        env=os.environ | {"PYTHONPATH": str(ROOT), "HYDRA_FULL_ERROR": "0"},
        cwd=program.parents[1], capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    said = {path.parent.name: path.read_text() for path in sorted(out.glob("*/said.txt"))}
    return done.returncode, done.stdout + done.stderr, said


@pytest.mark.parametrize(
    "launcher", [(), ("hydra/launcher=submitit_local", "hydra.sweeper.max_batch_size=2")]
)
def test_a_run_that_fails_is_told_at_the_end_and_stops_no_other(program, launcher):
    code, output, said = run(program, "size=2,1,3", *launcher)
    assert code == 1, output
    assert said == {"s1": "1 - -\n", "s3": "3 - -\n"}
    told = [line for line in output.splitlines() if line.startswith("work: ")]
    folder = program.parents[1] / "runs" / "s2"
    assert told == [
        f"work: 1 of the runs failed, the others are done: {folder}: the loss is not finite"
    ]
    assert (folder / "error.txt").read_text() == "the loss is not finite\n"


def test_the_processes_of_one_run_know_of_each_other(program):
    code, output, said = run(
        program, "size=1,3", "hydra/launcher=submitit_local", "hydra.launcher.tasks_per_node=2"
    )
    assert code == 0, output
    assert {name: sorted(text.splitlines()) for name, text in said.items()} == {
        "s1": ["1 0 2", "1 1 2"], "s3": ["3 0 2", "3 1 2"]
    }  # fmt: skip


def test_a_sweep_under_torchrun_is_refused_and_one_run_is_not(monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match=r"-m under torchrun: .*hydra\.launcher\.tasks_per_node=8"):
        sweep(["-m", "size=1,2"]).__enter__()
    with sweep(["size=1"]):
        pass


def test_a_launcher_that_is_not_installed_is_told_with_the_way_to_get_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="launcher=slurm needs a package: pip install hydra-sub"):
        sweep(["-m", "hydra/launcher=slurm"]).__enter__()


@pytest.mark.parametrize(("name", "tasks"), [("local", 1), ("slurm", 8)])
def test_the_launchers_of_the_project_compose(name, tasks):
    compose(
        ROOT / "conf", "train_vsm", VSMRun,
        ["experiment=vsm_smoke", f"hydra/launcher={name}", "hydra.launcher.cpus_per_task=3"],
    )  # fmt: skip
    launcher = HydraConfig.get().launcher
    assert launcher._target_.rpartition(".")[2] == f"{name.capitalize()}Launcher"
    assert (launcher.tasks_per_node, launcher.cpus_per_task) == (tasks, 3)
    assert launcher.timeout_min >= 1440
