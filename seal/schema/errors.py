"""What Hydra and OmegaConf complain of, in one line a user can act on."""

from __future__ import annotations

import difflib
import re
from dataclasses import fields, is_dataclass
from typing import Any

from hydra.errors import MissingConfigException
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException


def explain(error: BaseException) -> str:
    """One line a user can act on."""
    found = _config_error(error)
    if isinstance(error, MissingConfigException):
        return _no_such_choice(error)
    if found is None:
        text = str(error)
        # A DataLoader worker sends its whole traceback; the last line is the message.
        lines = [line for line in text.splitlines() if line.strip()]
        if text.startswith("Caught ") and len(lines) > 1:
            text = lines[-1]
        return one_line(text) or type(error).__name__
    key, kind = str(found.full_key or found.key), found.object_type
    if "not in" in str(found) and kind is not None:
        return unknown(key, kind)
    if isinstance(found, MissingMandatoryValue):
        return f"{key}: Missing mandatory value; write {key}=..."
    # A value may be pages long; its beginning tells which one is meant.
    said = re.sub(r"'([^']{80})[^']*'", r"'\1...'", str(found).splitlines()[0])
    return one_line(f"{key}: {said}")


def unknown(full_key: str, kind: Any) -> str:
    """Say that `kind` has no such key, and what is near."""
    parent, _, key = full_key.rpartition(".")
    if not is_dataclass(kind):
        return f"{full_key} is not set in the configuration; to add it, write +{full_key}=..."
    return unknown_key(full_key, nearest(key, names := _names(kind)), names, parent)


def unknown_key(full_key: str, near: list[str], valid: list[str], parent: str = "") -> str:
    """One line; `near` are the likely ones among `valid`, the keys of `parent`."""
    where = f"{parent} has" if parent else "there are"
    shown = ", ".join((near or valid)[:12]) + (", ..." if len(near or valid) > 12 else "")
    return f"unknown configuration key {cut(full_key)}; {'nearest' if near else where}: {shown}"


def nearest(name: str, valid: list[str]) -> list[str]:
    """At most three that are spelt much like `name`."""
    return difflib.get_close_matches(name, valid, n=3, cutoff=0.5)


def one_line(text: str) -> str:
    return " ".join(text.split())


def cut(text: str) -> str:
    """At most a line of what a user typed."""
    return one_line(text) if len(text) <= 100 else f"{one_line(text[:97])}..."


def _names(kind: Any) -> list[str]:
    return [field.name for field in fields(kind)]


def _no_such_choice(error: MissingConfigException) -> str:
    group, _, name = (error.missing_cfg_file or "").rpartition("/")
    if not group or error.options is None:
        return one_line(str(error).partition("Config search path")[0])
    # Of many options the near ones: the others may be other programs' files.
    many = len(error.options) > 8
    near = difflib.get_close_matches(name, error.options, n=5, cutoff=0.5) if many else []
    told = f"nearest: {', '.join(near)}" if near else f"there are: {', '.join(error.options)}"
    return f"{group}={name}: no such choice; {told}"


def _config_error(error: BaseException | None) -> OmegaConfBaseException | None:
    """The OmegaConf error that names a key, behind what Hydra wraps around it."""
    while error is not None:
        if isinstance(error, OmegaConfBaseException) and error.key is not None:
            return error
        error = error.__cause__ or error.__context__
    return None
