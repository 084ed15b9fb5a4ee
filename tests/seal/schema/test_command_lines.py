"""Drawn command lines of the real programs: the value that was typed, or one line that names it."""

from __future__ import annotations

import importlib.util
import random
import sys
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from omegaconf import DictConfig, OmegaConf
from programs_here import ROOT

from seal import schema
from seal.commands.programs import names
from seal.schema import compose
from seal.schema.keys import Keys, all_keys

# Without such a word a section is null, and its keys are refused for that.
CHOICES = {
    "train/vqa": "experiment=vqa_instruct_smoke",
    "train/vsm": "experiment=vsm_smoke",
    "eval/tables": "table=vstar_bench",
}
PIECES = [
    *"ab7.-_/ =,:;[](){}'\"\\#$~%&|!?@+*\t",
    "写真",
    "\u00e9",
    "e\u0301",
    "\U0001f600",
    "${",
    "}",
    "null",
    "true",
    "1e5",
    "007",
    "range(1,2)",
    " (v2)",
    "--x",
    "a=b",
]
FORMS = {
    "key=value": lambda key, text: [f"{key}={text}"],
    "key = value": lambda key, text: [key, "=", text],
    "key= value": lambda key, text: [f"{key}=", text],
    "key =value": lambda key, text: [key, f"={text}"],
    "--key value": lambda key, text: [f"--{key}", text],
    "--key=value": lambda key, text: [f"--{key}={text}"],
    "key:value": lambda key, text: [f"{key}:{text}"],
    "misspelt": lambda key, text: [f"{key[:-1]}{'x' if key[-1] != 'x' else 'y'}q={text}"],
    "no value": lambda key, text: [f"{key}="],
}


@cache
def program(name: str) -> tuple[str, type[Any]]:
    """What the program `name` gives to `@program`."""
    told: list[Any] = []
    spec = importlib.util.spec_from_file_location(f"program_{name.replace('/', '_')}", path(name))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # type hints are looked up there
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "program", lambda *given: told.extend(given) or (lambda main: main))
        spec.loader.exec_module(module)
    return told[0], told[1]


def path(name: str) -> Path:
    return ROOT / f"{name}.py"


def draw_text(rng: random.Random) -> str:
    text = "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 6)))
    # Quotes around the whole are Hydra's own; a reference is one; white space alone is empty.
    quoted = text[0] in "'\"" and text[0] == text[-1]
    plain = text.strip() and not quoted and "${" not in text.replace("${", "", 1)
    return text if plain and not ("${" in text and "}" in text) and "\\${" not in text else "a"


def check(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(seed)
    name = rng.choice(names())
    config_name, kind_of_run = program(name)
    keys = Keys(kind_of_run, ROOT / "conf", config_name)
    wanted = (str, int, float, bool)
    fields = [
        (key, kind)
        for key in all_keys(kind_of_run)
        if key not in keys.groups and (kind := keys.kind(key)) is not None
        if kind.hint in wanted or (get_origin(kind.hint) is list and get_args(kind.hint) == (str,))
    ]
    key, kind = rng.choice(fields)
    form, text = rng.choice(list(FORMS)), draw_text(rng)
    if kind.hint in (int, float, bool) and rng.random() < 0.5:
        text = str({int: 12, float: 0.25, bool: True}[kind.hint])
    words = [CHOICES[name]] if name in CHOICES else []
    words += FORMS[form](key, text)
    monkeypatch.setattr(schema, "_typed", lambda config: config)  # no file of it needs to be there
    said = ""
    try:
        config = compose(ROOT / "conf", config_name, kind_of_run, words)
    except ValueError as error:
        said = str(error)
        assert "\n" not in said and len(said) < 1500, (words, said)
        stray = "no option --" in said and any(word in said for word in words)  # no key is meant
        assert stray or key.rpartition(".")[2][:-1] in said or key in said, (words, said)
    if form == "misspelt" or (form == "no value" and not kind.empty):
        assert said, (words, "was not refused")
    text_of_a_name = kind.hint is str and text.strip().lower() != "null"
    if form in ("key=value", "--key=value") and text_of_a_name:
        assert not said, (words, said)
    if not said and form not in ("misspelt", "no value"):
        value = got(config, key)
        if kind.hint is str and value is not None:
            typed = {text} if form == "key=value" else {text, text.lstrip()}
            assert value in typed, (words, value)
        elif kind.hint in (int, float):
            assert value is None or value == float(text), (words, value)
        elif kind.hint is bool:
            assert isinstance(value, bool) or (kind.optional and value is None), (words, value)


def got(config: DictConfig | Any, key: str) -> Any:
    return OmegaConf.select(config, key)


@pytest.mark.parametrize("seed", range(24))
def test_a_command_line_gives_what_was_typed_or_one_line(seed, monkeypatch):
    check(seed, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(16))
def test_many_command_lines_give_what_was_typed_or_one_line(block, monkeypatch):
    for seed in range(1000 + 50 * block, 1050 + 50 * block):
        check(seed, monkeypatch)
