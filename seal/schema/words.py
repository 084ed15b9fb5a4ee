"""The words of a command line become settings: `key=value`, however the three were typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from seal.schema.errors import cut
from seal.schema.keys import Keys

# Hydra's own options; those that a word follows apart.
HELP = ("-h", "--help", "--hydra-help", "--version")
FLAGS = (*HELP, "--resolve", "-r", "--run", "-m", "--multirun", "--shell-completion", "-sc")
FOLDERS = ("--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd")
WITH_A_WORD = (*FOLDERS, "--cfg", "-c", "--package", "-p", "--experimental-rerun")
INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
TRUTH = ("true", "false", "yes", "no", "on", "off", "1", "0")


@dataclass(kw_only=True, slots=True)
class Setting:
    prefix: str = ""  # one of Hydra's: + ++ ~
    key: str
    value: str | None  # None: `~key`
    text: str  # as typed


def settings(words: Sequence[str], keys: Keys) -> tuple[list[str], list[Setting], list[str]]:
    """Hydra's options, the settings in their order, and a note for each that was guessed."""
    rest, options, found = list(words), [], list[Setting]()
    notes: list[str] = []
    while rest:
        word = rest.pop(0)
        name = word.partition("=")[0]
        if word in FLAGS or name in WITH_A_WORD:  # a flag has no value: `--run=x` is the key `run`
            options.append(word)
            if name in WITH_A_WORD and name == word and rest:
                options.append(rest.pop(0))
        elif name in ("--info", "-i"):
            options += [word, rest.pop(0)] if rest and rest[0] in INFO else [word]
        elif word.startswith("-"):
            setting = _dashed(word, rest, keys)
            found.append(setting)
            notes.append(f"{cut(setting.text)} is read as {setting.key}={cut(setting.value or '')}")
        else:
            found.append(_plain(word, rest, keys, found))
    return options, found, notes


def _plain(word: str, rest: list[str], keys: Keys, before: list[Setting]) -> Setting:
    left, equals, value = word.partition("=")
    prefix, key = _prefix_and_key(left)
    if equals:
        if left != left.rstrip():
            value = value.lstrip()
        if value == "" and keys.known(key) and rest and not _begins_another(rest, keys):
            value = rest.pop(0)
        return Setting(prefix=prefix, key=key, value=value, text=word)
    if prefix == "~":
        return Setting(prefix=prefix, key=key, value=None, text=word)
    if keys.known(key) and "/" not in key and "@" not in key and rest and rest[0][:1] == "=":
        value = rest.pop(0)[1:] or (rest.pop(0) if rest else "")
        return Setting(prefix=prefix, key=key, value=value, text=f"{key}={value}")
    left, colon, value = word.partition(":")
    if colon and left and "/" not in left and keys.known(left):
        if value == "" and rest and not _begins_another(rest, keys):
            value = rest.pop(0)
        return Setting(key=left, value=value.lstrip(), text=word)
    raise ValueError(_alone(word, rest, keys, before))


def _dashed(word: str, rest: list[str], keys: Keys) -> Setting:
    name, equals, value = word.lstrip("-").partition("=")
    key = name if keys.known(name) else name.replace("-", "_")
    if not keys.known(key) or "/" in key or "@" in key:
        near = keys.unknown(key).rpartition("; ")[2]
        raise ValueError(f"no option {cut(word)}; settings are written key=value, {near}")
    kind = keys.kind(key)
    if equals:
        return Setting(key=key, value=value, text=word)
    if kind is not None and kind.hint is bool and not (rest and rest[0].lower() in (*TRUTH, "=")):
        return Setting(key=key, value="true", text=word)
    if rest and rest[0] == "=":
        rest.pop(0)
    if not rest or _begins_another(rest, keys):
        raise ValueError(f"{word} has no value; write {key}=...")
    value = rest.pop(0)
    return Setting(key=key, value=value, text=f"{word} {value}")


def _prefix_and_key(left: str) -> tuple[str, str]:
    match = re.match(r"\s*(\+\+|\+|~)?(.*)", left, re.DOTALL)
    assert match is not None
    return match[1] or "", match[2].strip()


def _begins_another(rest: list[str], keys: Keys) -> bool:
    """Whether the next word is a setting or an option of its own, rather than a value."""
    word = rest[0]
    name, equals, _ = word.partition("=")
    if name in FLAGS or name in WITH_A_WORD or word.startswith("--"):
        return True
    key = _prefix_and_key(name)[1]
    if equals:
        return key in keys.groups or keys.kind(key) is not None or key.startswith("hydra.")
    return keys.kind(key) is not None and len(rest) > 1 and rest[1][:1] == "="


def _alone(word: str, rest: list[str], keys: Keys, before: list[Setting]) -> str:
    if keys.known(word) and "/" not in word:
        value = rest[0] if rest and not _begins_another(rest, keys) else "..."
        return f"{cut(word)} has no value; write {cut(shlex.quote(f'{word}={value}'))}"
    if before and before[-1].value is not None:
        whole = shlex.quote(f"{before[-1].key}={before[-1].value} {word}")
        return (
            f"{cut(word)} stands alone; settings are written key=value, and one with a space "
            f"in quotes: {cut(whole)}"
        )
    near = keys.unknown(word).rpartition("; ")[2]
    return f"{cut(word)} stands alone; settings are written key=value, {near}"
