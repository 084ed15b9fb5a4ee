from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from seal.schema import compose, explain

PROGRAM = '''"""A program."""
from __future__ import annotations
import os
from dataclasses import dataclass
from seal.schema import program

@dataclass(kw_only=True, slots=True)
class Speed:
    learning_rate: float = 0.5
    num_steps: int = 3
    def __post_init__(self) -> None:
        if self.num_steps < 0:
            raise ValueError(f"num_steps must not be negative, got {self.num_steps}")

@dataclass(kw_only=True, slots=True)
class Run:
    train: Speed
    fail: str = ""

@program("work", Run)
def main(run: Run) -> None:
    if run.fail:
        raise getattr(__builtins__, run.fail)("it\\nwent wrong")
    print(run.train.num_steps, os.getcwd() == os.environ["PWD"])

if __name__ == "__main__":
    main()
'''


@dataclass(kw_only=True, slots=True)
class Speed:
    learning_rate: float = 0.5
    num_steps: int = 3


@dataclass(kw_only=True, slots=True)
class Run:
    train: Speed
    document: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="module")
def conf(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("programs")
    (root / "tools").mkdir()
    (root / "tools" / "work.py").write_text(PROGRAM)
    conf = root / "conf"
    for group in ("train", "experiment"):
        (conf / group).mkdir(parents=True)
    (conf / "work.yaml").write_text(
        "defaults:\n  - work_schema\n  - train: slow\n  - _self_\n  - experiment: none\n"
        f"hydra:\n  run:\n    dir: {root}/out\n  output_subdir: null\n"
    )
    (conf / "train" / "slow.yaml").write_text("learning_rate: 0.125\n")
    (conf / "experiment" / "none.yaml").write_text("# @package _global_\n{}\n")
    (conf / "experiment" / "long.yaml").write_text("# @package _global_\ntrain:\n  num_steps: 9\n")
    (conf / "experiment" / "typo.yaml").write_text("# @package _global_\ntrain:\n  num_step: 9\n")
    return conf


def run(conf: Path, *overrides: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(conf.parent / "tools" / "work.py"), *overrides],
        cwd=conf.parent,
        env=os.environ | {"PWD": str(conf.parent)} | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_an_experiment_wins_over_a_group_and_a_command_line_over_both(conf):
    typed = compose(conf, "work", Run, ["experiment=long"])
    assert isinstance(typed, Run) and isinstance(typed.train, Speed)
    assert (typed.train.num_steps, typed.train.learning_rate) == (9, 0.125)
    assert compose(conf, "work", Run, ["experiment=long", "train.num_steps=4"]).train.num_steps == 4


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("train.num_step=4", "unknown configuration key train.num_step; nearest: num_steps"),
        ("+train.num_step=4", "unknown configuration key train.num_step; nearest: num_steps"),
        ("experiment=typo", "unknown configuration key train.num_step; nearest: num_steps"),
        ("trian.num_steps=4", "unknown configuration key trian; nearest: train"),
        ("xyz=4", "unknown configuration key xyz; there are: train, document"),
        ("document.a=4", "document.a is not set in the configuration; to add it, write +doc"),
        ("train.num_steps=many", "train.num_steps: Value 'many' of type 'str' could not be"),
        ("experiment=lon", "experiment=lon: no such choice; there are: long, none, typo"),
        ("experiment=xyz", "experiment=xyz: no such choice; there are: long, none, typo"),
        ("train.num_steps=[", "train.num_steps: Value '[' of type 'str' could not be converted"),
        ("train.num_steps=五", "train.num_steps: Value '五' of type 'str' could not be converted"),
        ("num_steps=4", "unknown configuration key num_steps; nearest: train.num_steps"),
        ("num_stps=4", "unknown configuration key num_stps; nearest: train.num_steps"),
        ("写真=4", "unknown configuration key 写真; there are: train, document, experiment"),
        ("train.num_steps=", "train.num_steps= is empty: is a variable behind it unset?"),
    ],
)
def test_a_wrong_override_is_one_line_that_names_the_key_and_what_is_near(conf, override, says):
    with pytest.raises(ValueError) as error:
        compose(conf, "work", Run, [override])
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_program_gets_its_dataclass_and_stays_in_its_folder(conf):
    done = run(conf, "experiment=long")
    assert (done.returncode, done.stdout, done.stderr) == (0, "9 True\n", "")


@pytest.mark.parametrize(
    ("overrides", "code", "says"),
    [
        (["train.num_step=4"], 2, "work: unknown configuration key train.num_step; nearest: num_"),
        (["train.num_steps=-4"], 2, "work: num_steps must not be negative, got -4"),
        (["fail=ValueError"], 2, "work: it went wrong"),
        (["fail=FloatingPointError"], 1, "work: it went wrong"),
    ],
)
def test_errors_are_one_line_and_an_exit_code(conf, overrides, code, says):
    done = run(conf, *overrides)
    assert done.returncode == code
    assert done.stderr.startswith(says) and done.stderr.count("\n") == 1


def test_a_traceback_is_shown_on_demand(conf):
    assert "Traceback" in run(conf, "fail=ValueError", SEAL_TRACEBACK="1").stderr


def test_an_error_of_a_worker_is_told_by_its_last_line():
    text = (
        "Caught ValueError in DataLoader worker process 0.\nTraceback:\n  x\nValueError: set:3: bad"
    )
    assert explain(ValueError(text)) == "ValueError: set:3: bad"


def test_a_bug_is_told_with_the_place_where_it_is(conf):
    done = run(conf, "fail=KeyError")
    assert done.returncode == 1
    assert "Traceback" in done.stderr and "in main\n" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("work: 'it")
