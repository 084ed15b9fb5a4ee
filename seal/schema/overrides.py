"""What was typed becomes Hydra's grammar: names of files pass as they are, near misses are read.

Hydra reads `key=value` by a grammar of its own, in which commas, brackets, quotes, `=`, spaces
and every letter beyond ASCII mean something or are refused. Here a value for a text is quoted
where that grammar would read another text, and `key = value`, `--key value` and `key:value` are
understood.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Quote, QuotedString, Sweep
from hydra.errors import HydraException
from omegaconf import grammar_parser
from omegaconf.errors import GrammarParseError

from seal.schema.errors import cut
from seal.schema.keys import Keys, Kind
from seal.schema.words import Setting, settings


def understood(words: Sequence[str], keys: Keys) -> tuple[list[str], list[str]]:
    """A command line for Hydra (its own options first), and notes for the user.

    Raises:
        ValueError: what cannot be meant, in one line that says how to write it.
    """
    options, given, notes = settings(words, keys)
    sweeping = bool({"-m", "--multirun"} & set(options))
    seen: dict[str, str] = {}
    written = []
    for setting in given:
        if setting.value is not None:
            before = seen.setdefault(setting.key, setting.value)
            if before != setting.value and setting.key not in keys.groups:
                notes.append(
                    f"{setting.key} is given twice, {cut(before)} and {cut(setting.value)}; "
                    f"the last one counts"
                )
                seen[setting.key] = setting.value
        written.append(_override(setting, keys, sweeping))
    return options + written, notes


def _override(setting: Setting, keys: Keys, sweeping: bool) -> str:
    key, value = setting.key, setting.value
    if value is None or setting.prefix == "~":
        return setting.text
    start = f"{setting.prefix}{key}="
    kind = None if key in keys.groups else keys.kind(key)
    if kind is None:
        kind = Kind(hint=Any, empty=not keys.known(key))
    if not keys.known(key) and setting.prefix == "":
        raise ValueError(keys.unknown(key))
    if value.strip() == "" and not kind.empty:
        none = f"; for none at all write {key}=null" if kind.optional else ""
        raise ValueError(f"{key}= is empty: is a variable behind it unset?{none}")
    if kind.entry and setting.prefix == "":
        start = f"++{start}"  # Hydra has no way to say: set it, whether it is there or not
    parsed, readable = _parsed(value)
    if sweeping and readable and isinstance(parsed, Sweep | Glob):
        return f"{start}{value}"
    if kind.hint in (str, Path):
        return start + _text(key, value, parsed, kind)
    if get_origin(kind.hint) in (list, tuple) and get_args(kind.hint)[0] in (str, Path):
        return start + _texts(key, value, parsed, kind)
    if readable:
        return f"{start}{value}"
    if value.lstrip()[:1] in ("[", "{") and kind.hint not in (int, float, bool):
        raise ValueError(
            f"{key}={cut(value)} cannot be read as a list or mapping; put names with other "
            f"letters, spaces or commas in quotes inside it, e.g. \"{key}=['a b','c, d']\""
        )
    return start + _quoted(value)


def _text(key: str, value: str, parsed: Any, kind: Kind) -> str:
    """A value that is read as exactly the text typed; quotes around the whole are Hydra's own."""
    if parsed is None and value.strip().lower() == "null":
        if not kind.optional:
            raise ValueError(
                f"{key}=null: {key} needs a value; for the very word write \"{key}='null'\""
            )
        return value
    if isinstance(parsed, str) and value[:1] in ("'", '"'):
        return value
    literal = _without_false_references(value)
    return value if parsed == value and literal == value else _quoted(literal)


def _texts(key: str, value: str, parsed: Any, kind: Kind) -> str:
    """A list of texts: each as it was typed between the commas."""
    stripped = value.strip()
    if stripped.startswith("${") or (kind.optional and stripped.lower() == "null"):
        return value
    if not (stripped.startswith("[") and stripped.endswith("]")):
        whole = shlex.quote(f"{key}=[{value}]")
        raise ValueError(f"{key}={cut(value)}: {key} is a list; write {cut(whole)}")
    if isinstance(parsed, list) and all(isinstance(item, str) for item in parsed):
        return value
    items = re.findall(r"""\s*('[^']*'|"[^"]*"|[^,]*)\s*(?:,|$)""", stripped[1:-1])
    items = items[:-1] if items and items[-1] == "" else items
    if "" in items:
        raise ValueError(f"{key}={cut(value)} has an empty entry; write {key}=[a,b]")
    own = [item if item[:1] in ("'", '"') else _quoted(item.strip()) for item in items]
    return f"[{','.join(own)}]"


def _parsed(value: str) -> tuple[Any, bool]:
    """What Hydra reads, without its quotes, and whether it reads anything."""
    try:
        return OverridesParser.create().parse_rule(f"k={value}", "override").value(), True
    except (HydraException, ValueError):
        return None, False


def _quoted(text: str) -> str:
    return QuotedString(text=text, quote=Quote.single).with_quotes()


def _without_false_references(text: str) -> str:
    """`${` that begins no reference which can be read is part of a name."""
    if "${" not in text:
        return text
    try:
        grammar_parser.parse(text)
    except GrammarParseError:
        return re.sub(r"(\\*)\$\{", lambda match: match[1] * 2 + "\\${", text)
    return text
