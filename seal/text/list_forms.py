"""The forms in which models write a list: brackets of quoted names, lines with bullets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from seal.text.list_marks import BULLET, NUMBER, QUOTED, REFERRED

_FENCE = re.compile(r"```[\w-]*[ \t]*\n?(.*?)(?:```|\Z)", re.DOTALL)
_START = re.compile(r"[\[{]")
_STARTS = 20  # places where JSON may begin that are tried
_RESERVED = re.compile(r"\[/?[A-Z_]+\]")  # `[LOC]`, `[INST]`: marks, not lists
_KEYS = ("name", "object", "label", "target", "item", "class", "description")
_BARE = re.compile(r"[^\[\]{}\"':\n]+")


def fenced(text: str) -> str | None:
    """What stands in the first code fence; None without one."""
    match = _FENCE.search(text)
    return match.group(1).strip() if match is not None else None


def bracketed(text: str, *, finished: bool = True) -> list[str] | None:
    """Names in JSON, or in what is meant for it; None if nothing opens a list.

    `finished=False`: the end was cut off, and a name that no mark closes is not one.
    """
    found: list[str] | None = None
    for start in list(_START.finditer(text))[:_STARTS]:
        try:
            value, _ = json.JSONDecoder().raw_decode(text, start.start())
        except (ValueError, RecursionError):
            continue
        names = _names(value)
        if names:
            return names
        if names is not None:
            found = names
    return found if found is not None else _loose(text, finished)


def _names(value: Any) -> list[str] | None:
    """Names in a decoded document: a list of texts or of objects that have one, maybe by a key."""
    if isinstance(value, dict):
        lists = [each for each in value.values() if isinstance(each, list)]
        if len(lists) == 1 and (names := _names(lists[0])) is not None:
            return names
        named = _named(value)
        return None if named is None else [named]
    if not isinstance(value, list):
        return None
    items = [item if isinstance(item, str) else _named(item) for item in value]
    names = [name for name in items if name is not None]
    if items and not names:
        return None  # numbers: a box, a point, a reference
    return names


def _named(item: Any) -> str | None:
    if not isinstance(item, dict):
        return None
    lowered = {str(key).lower(): value for key, value in item.items()}
    return next((lowered[k] for k in _KEYS if isinstance(lowered.get(k), str)), None)


def _loose(text: str, finished: bool) -> list[str] | None:
    """`['a', 'b']`, `[a, b]` and lists that were cut off: what stands behind the first bracket."""
    opens = re.search(r"(?<!\w)\[", _RESERVED.sub(lambda m: " " * len(m.group()), text))
    if opens is None:
        return None
    start = opens.start()
    # Of objects that were cut off, a bracket may close one's box before the list ends.
    end = -1 if text[start + 1 :].lstrip().startswith("{") else text.find("]", start)
    inside = text[start + 1 : end if end >= 0 else len(text)]
    quoted = list(_quoted(inside))
    if quoted:
        return quoted
    if end < 0 and not finished:
        inside = inside.rpartition(",")[0]
    if not inside.strip():
        return [] if end >= 0 else None
    if _BARE.fullmatch(inside) is None or not any(map(str.isalpha, inside)):
        return None
    return [item for item in inside.split(",") if item.strip()]


def _quoted(text: str) -> Iterator[str]:
    """Texts in quotes that name: of pairs, what `_KEYS` say or, without braces, the keys."""
    key = ""
    for match in QUOTED.finditer(text):
        name = next(group for group in match.groups() if group is not None)
        if text[match.end() : match.end() + 2].lstrip().startswith(":"):
            key = name.lower()
            if "{" not in text:
                yield name
        elif not text[: match.start()].rstrip().endswith(":") or key in _KEYS:
            yield name


def referred(text: str) -> list[str] | None:
    """What stands in the marks by which some models refer to a region; None without any."""
    return [match.group(1) for match in REFERRED.finditer(text)] or None


def bullets(text: str, *, finished: bool = True) -> list[str] | None:
    """What stands behind the outermost bullets or numbers; None if there are none.

    `finished=False`: the end was cut off, and the last line with it.
    """
    lines = [line for whole in text.splitlines() for line in _numbered_within(whole)]
    matches = [m for m in map(BULLET.match, lines) if m is not None]
    if not matches:
        return None
    outer = min(len(m["indent"].expandtabs()) for m in matches)
    if not finished and len(matches) > 1 and text.rstrip().endswith(matches[-1]["item"].rstrip()):
        matches = matches[:-1]
    return [m["item"] for m in matches if len(m["indent"].expandtabs()) <= outer + 1]


def _numbered_within(line: str) -> list[str]:
    """`1. a 2. b` on one line as two; the line itself if it does not count 1, 2, ..."""
    marks = list(NUMBER.finditer(line))
    if len(marks) < 2 or [int(m.group(1)) for m in marks] != list(range(1, len(marks) + 1)):
        return [line]
    starts = [m.start() for m in marks]
    return [line[a:b].rstrip(" ,;") for a, b in zip(starts, [*starts[1:], None], strict=True)]
