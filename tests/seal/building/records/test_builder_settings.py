from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from dataclasses import fields

import pytest

import seal.building
from seal.building.records.writer import BuildConfig

# Of all builders: these are noted apart (`set.json`, what stopped builds left), or change nothing.
COMMON = {field.name for field in fields(BuildConfig)} - {"annotations"}
# Of possible_locations: what they lead to, the images found alike, is noted instead.
LEAD_ELSEWHERE = {"clip", "features"}
NOT_IN_RECORDS = {"device", "batch_size"}
ALWAYS_THE_SAME = {"CocoStuffBuildConfig": {"masks"}}  # false is refused
# Of build_classes: every field is noted, whatever its name.
BY_DATACLASS = "__dataclass_fields__"


def builders() -> list[type[BuildConfig]]:
    for module in pkgutil.walk_packages(seal.building.__path__, "seal.building."):
        importlib.import_module(module.name)
    found: list[type[BuildConfig]] = []
    waiting = [BuildConfig]
    while waiting:
        below = waiting.pop().__subclasses__()
        # A dataclass with slots is a new class; the one it was made from still is a subclass.
        whole = [c for c in below if "__dataclass_fields__" in vars(c) and "__slots__" in vars(c)]
        found += [c for c in whole if c.__module__.startswith("seal.building.")]
        waiting += below
    return sorted(set(found), key=lambda c: c.__name__)


def named_in_settings(config: type[BuildConfig]) -> set[str]:
    """The texts and attributes in the functions that build the set of `config`."""
    named: set[str] = set()
    for base in config.__mro__:
        if not base.__module__.startswith("seal.building.") or base is BuildConfig:
            continue
        tree = ast.parse(inspect.getsource(importlib.import_module(base.__module__)))
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("build_"):
                for part in ast.walk(node):
                    if isinstance(part, ast.Constant) and isinstance(part.value, str):
                        named.add(part.value)
                    elif isinstance(part, ast.Attribute):
                        named.add(part.attr)
    return named


@pytest.mark.parametrize("config", builders(), ids=lambda c: c.__name__)
def test_every_option_that_changes_records_is_noted_in_the_set(config: type[BuildConfig]) -> None:
    named = named_in_settings(config)
    if BY_DATACLASS in named and "maps" not in {field.name for field in fields(config)}:
        return
    options = {field.name for field in fields(config)} - COMMON - LEAD_ELSEWHERE - NOT_IN_RECORDS
    options -= ALWAYS_THE_SAME.get(config.__name__, set())
    assert options <= named | {"annotations"}


def test_all_builders_are_looked_at() -> None:
    names = {config.__name__.removesuffix("BuildConfig").lower() for config in builders()}
    assert names >= {
        *("coco", "cocostuff", "objects365", "pacolvis", "refcoco", "goldg", "possiblelocations"),
        *("llava", "negative", "gqa", "vaw", "focus", "spatial"),
    }
