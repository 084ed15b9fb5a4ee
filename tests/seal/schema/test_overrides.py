"""What was typed is what a program gets; where that cannot be, the line says how to write it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from programs_here import ROOT

from seal.schema import compose
from seal.schema.keys import Keys
from seal.schema.overrides import understood


@dataclass(kw_only=True, slots=True)
class Part:
    folder: str = "x"
    num_steps: int = 3


@dataclass(kw_only=True, slots=True)
class Toy:
    out: str
    images: str | None = None
    note: str = ""
    num: int = 0
    share: float = 0.5
    dry_run: bool = False
    names: list[str] = field(default_factory=list)
    part: Part = field(default_factory=Part)
    parts: dict[str, Part] = field(default_factory=dict)
    anything: Any = None


@pytest.fixture(scope="module")
def conf(tmp_path_factory) -> Path:
    conf = tmp_path_factory.mktemp("toy")
    (conf / "experiment").mkdir()
    (conf / "experiment" / "small.yaml").write_text("# @package _global_\nnum: 7\n")
    (conf / "toy.yaml").write_text("defaults:\n  - toy_schema\n  - _self_\n  - experiment: null\n")
    return conf


KEYS = ("out", "images", "part.folder")
ODD = [
    "写真",
    "my set (v2)",
    "a=b.json",
    "=",
    "==x",
    "[x] y",
    "[x]",
    "its, here",
    "it's",
    'the "best" one',
    'it\'s "both"',
    "back\\slash",
    "ends in backslash\\",
    "\\'",
    "a\\,b",
    "#5",
    "$HOME/x",
    "a$",
    "${",
    "${}",
    "a${b",
    "~/x",
    "{}",
    "{a: b}",
    "100%",
    "-x",
    "--out",
    "trailing ",
    " leading",
    "007",
    "1e5",
    "1_000",
    "true",
    "nan",
    "a,b",
    "a, b",
    "range(1,3)",
    "str(5)",
    "glob(*)",
    "a:b",
    "C:\\x",
    "a;b&c|d",
    "!x",
    "?",
    "a\tb",
    "two\nlines",
    "e\u0301",
    "\U0001f600",
    "'",
    '"',
    "''a",
    "a''b",
    "(",
    ")(",
    "@x",
    "+x",
    "x=~y",
]


@pytest.mark.parametrize("texts", zip(ODD[::3], ODD[1::3], ODD[2::3], strict=True))
def test_a_text_is_what_was_typed(conf, texts):
    words = [f"{key}={text}" for key, text in zip(KEYS, texts, strict=True)]
    typed = compose(conf, "toy", Toy, words)
    assert (typed.out, typed.images, typed.part.folder) == texts


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("[none,guided]", ["none", "guided"]),
        ("[写真,my set (v2)]", ["写真", "my set (v2)"]),
        ("[007,1e5,true,null]", ["007", "1e5", "true", "null"]),
        ("['a, b',写真]", ["a, b", "写真"]),
        ("[a=b.json, c d]", ["a=b.json", "c d"]),
        ("[]", []),
    ],
)
def test_each_entry_of_a_list_of_texts_is_what_was_typed(conf, value, names):
    assert compose(conf, "toy", Toy, ["out=x", f"names={value}"]).names == names


@pytest.mark.parametrize(
    ("words", "key", "value"),
    [
        (["num=5"], "num", 5),
        (["num", "=", "5"], "num", 5),
        (["num=", "5"], "num", 5),
        (["num", "=5"], "num", 5),
        (["num = 5"], "num", 5),
        (["--num", "5"], "num", 5),
        (["--num=5"], "num", 5),
        (["--num", "=", "5"], "num", 5),
        (["-num", "5"], "num", 5),
        (["num:5"], "num", 5),
        (["num:", "5"], "num", 5),
        (["num", "=", "-5"], "num", -5),
        (["++num=5"], "num", 5),
        (["--dry-run"], "dry_run", True),
        (["--dry-run", "--num", "5"], "dry_run", True),
        (["--dry-run", "false"], "dry_run", False),
        (["--images", "a=b.json"], "images", "a=b.json"),
        (["images", "=", "写真, neu"], "images", "写真, neu"),
        (["images=null"], "images", None),
        (["images='null'"], "images", "null"),
        (["images='a b'"], "images", "a b"),
        (['images="a b"'], "images", "a b"),
        (["images=${out}/x y"], "images", "here/x y"),
        (["images=${part.folder}"], "images", "x"),
        (["note="], "note", ""),
        (["share=1e-3"], "share", 0.001),
        (["--experiment", "small"], "num", 7),
        (["experiment", "=", "small"], "num", 7),
        (["anything={a: [1, b]}"], "anything", {"a": [1, "b"]}),
        (["anything=写真"], "anything", "写真"),
    ],
)
def test_near_misses_of_key_equals_value_are_understood(conf, words, key, value):
    assert getattr(compose(conf, "toy", Toy, ["out=here", *words]), key) == value


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["images=my", "set.json"], "one with a space in quotes: 'images=my set.json'"),
        (["num", "5"], "num has no value; write num=5"),
        (["num"], "num has no value; write num=..."),
        (["--num"], "--num has no value; write num=..."),
        (["--num", "images=x"], "--num has no value; write num=..."),
        (["--nmu", "5"], "no option --nmu; settings are written key=value, nearest: num"),
        (["imagse=x"], "unknown configuration key imagse; nearest: images"),
        (["folder=x"], "unknown configuration key folder; nearest: part.folder"),
        (["parts.a.fodler=x"], "unknown configuration key parts.a.fodler; nearest: folder"),
        (
            ["images="],
            "images= is empty: is a variable behind it unset?; for none at all write",
        ),
        (["out="], "out= is empty: is a variable behind it unset?"),
        (["out=", "num=5"], "out= is empty: is a variable behind it unset?"),
        (["out=null"], "out=null: out needs a value; for the very word write \"out='null'\""),
        (["names=a"], "names=a: names is a list; write 'names=[a]'"),
        (["names=[a,,b]"], "names=[a,,b] has an empty entry; write names=[a,b]"),
        (["num=五"], "num: Value '五' of type 'str' could not be converted to Integer"),
        (["num=[1"], "num: Value '[1' of type 'str' could not be converted to Integer"),
        (["anything=[写真]"], "anything=[写真] cannot be read as a list or mapping; put names"),
        (["experiment=smal"], "experiment=smal: no such choice; there are: small"),
        (["/data/写真.json"], "/data/写真.json stands alone; settings are written key=value"),
    ],
)
def test_what_cannot_be_meant_is_one_line_that_says_how_to_write_it(conf, words, says):
    with pytest.raises(ValueError) as error:
        compose(conf, "toy", Toy, words)
    assert says in str(error.value) and "\n" not in str(error.value)


def test_a_key_that_is_not_set_is_told_with_what_to_write(conf):
    with pytest.raises(ValueError, match=r"^out: Missing mandatory value; write out=\.\.\.$"):
        compose(conf, "toy", Toy, [])


def test_a_page_of_text_is_not_printed_again(conf):
    with pytest.raises(ValueError) as error:
        compose(conf, "toy", Toy, ["out=x", "num=" + "many words " * 1000])
    assert "num: Value 'many words" in str(error.value) and len(str(error.value)) < 250


def test_a_sweep_and_hydras_own_options_reach_hydra_as_they_are(conf):
    keys = Keys(Toy, conf, "toy")
    words = ["num=1,2", "-m", "out=a,b", "images=写真, x", "hydra.sweep.dir=s", "--cfg", "job"]
    expected = ["-m", "--cfg", "job", "num=1,2", "out=a,b", "images='写真, x'", "hydra.sweep.dir=s"]
    assert understood(words, keys) == (expected, [])


def test_what_was_guessed_or_given_twice_is_told(conf):
    keys = Keys(Toy, conf, "toy")
    words, notes = understood(["--num", "5", "num=6", "out=x", "out=x"], keys)
    assert words == ["num=5", "num=6", "out=x", "out=x"]
    assert notes == [
        "--num 5 is read as num=5",
        "num is given twice, 5 and 6; the last one counts",
    ]


def test_names_pass_through_the_shell_into_a_program(tmp_path):
    """Its first complaint names the folder as it was typed: the rest was understood."""
    words = ["annotations=my set (v2)/写真=1.json", "images=写真, neu", "out=a [b] {c}"]
    done = subprocess.run(
        [sys.executable, "-m", "seal", "data_builders/coco", *words],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr == "coco: images=写真, neu is not a folder\n"
