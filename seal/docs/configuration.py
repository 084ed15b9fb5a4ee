"""The reference of the configuration: dataclasses and the files of `conf/`, read as they stand."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

from seal.commands.programs import programs_root
from seal.schema.manual import Entry, class_entries


def fields_table(place: str) -> str:
    """The fields of the dataclass MODULE.CLASS: name, type, default, and what its comment says.

    Raises:
        ValueError: there is no such dataclass.
    """
    module, _, name = place.rpartition(".")
    spec = importlib.util.find_spec(module)
    entries = class_entries(Path(spec.origin), name) if spec and spec.origin else {}
    if not entries:
        raise ValueError(f"{place} is no dataclass of seal")
    lines = ["| key | type | default | |", "|---|---|---|---|"]
    lines += [_line(key, entry) for key, entry in _flat(entries, "")]
    return "\n".join(lines)


def group_files(group: str) -> str:
    """Each file of `conf/GROUP`: its name, and its text to open.

    Raises:
        ValueError: there is no such group.
    """
    files = sorted((programs_root() / "conf" / group).glob("*.yaml"))
    if not files:
        raise ValueError(f"conf/{group} is no group of files")
    parts = []
    for file in files:
        text = file.read_text(encoding="utf-8").rstrip().replace("\n", "\n    ")
        parts.append(f'??? note "{group}={file.stem}"\n\n    ```yaml\n    {text}\n    ```')
    return "\n\n".join(parts)


def _flat(entries: dict[str, Entry], prefix: str) -> Iterator[tuple[str, Entry]]:
    for entry in entries.values():
        if entry.inner:
            yield from _flat(entry.inner, f"{prefix}{entry.name}.")
        else:
            yield f"{prefix}{entry.name}", entry


def _line(key: str, entry: Entry) -> str:
    default = "**has to be set**" if entry.default is None else f"`{_cell(entry.default)}`"
    return f"| `{key}` | `{_cell(entry.type)}` | {default} | {_escaped(entry.comment)} |"


def _cell(code: str) -> str:
    return code.replace("|", "\\|")


def _escaped(text: str) -> str:
    """A comment is plain text: none of its letters is Markdown's."""
    for letter in "\\`*_{}[]<>|":
        text = text.replace(letter, f"\\{letter}" if letter not in "<>" else letter)
    return text.replace("<", "&lt;").replace(">", "&gt;")
