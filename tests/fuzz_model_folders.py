"""Damage model folders and training checkpoints, and judge what is made of them.

Reading one ends in an error of one line that names a file of the folder (or the folder), or it
gives what was saved: all of it, but for what the damage itself says (a setting that was changed).
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 3, 1.5, 1e99, "", "x", "32", [], [1], {}, {"a": 1}, [[1, 2]], 2**70,
)  # fmt: skip
LONGEST = 2000  # characters of a message


def damage_folder(folder: Path, seed: int) -> str:
    """One change to one file; returns what was done."""
    draw = random.Random(seed)
    path = draw.choice(sorted(path for path in folder.rglob("*") if path.is_file()))
    ways: list[Callable[[Path, random.Random], str]] = [_flip, _cut, _zero, _remove, _empty, _text]
    if path.suffix == ".json":
        ways = [_value, _value, _value, _value, _drop, *ways]
    return f"{path.name}: {draw.choice(ways)(path, draw)}"


def judge(read: Callable[[], Any], folder: Path, errors: tuple[type[Exception], ...]) -> Any:
    """What `read` gives, or the message it ends in, which must be one that helps."""
    try:
        return read()
    except errors as error:
        told = str(error)
        names = [path.name for path in folder.rglob("*")] + [folder.name]
        assert any(name in told for name in names), f"names no file: {told}"
        assert "\n" not in told and len(told) <= LONGEST, told
        assert "Errno" not in told, told
        return told


def copy_of(folder: Path, into: Path) -> Path:
    """A fresh copy to damage."""
    shutil.rmtree(into, ignore_errors=True)
    shutil.copytree(folder, into)
    return into


def _flip(path: Path, draw: random.Random) -> str:
    data = bytearray(path.read_bytes())
    for _ in range(draw.choice((1, 1, 8))):
        if data:
            # Where the structure lies: half of the flips hit a header.
            end = min(len(data), 400) if draw.random() < 0.5 else len(data)
            data[draw.randrange(end)] ^= 1 << draw.randrange(8)
    path.write_bytes(data)
    return "bits flipped"


def _cut(path: Path, draw: random.Random) -> str:
    data = path.read_bytes()
    path.write_bytes(data[: draw.randrange(len(data) or 1)])
    return "cut"


def _zero(path: Path, draw: random.Random) -> str:
    data = bytearray(path.read_bytes())
    start = draw.randrange(len(data) or 1)
    end = min(len(data), start + draw.choice((8, 100, len(data))))
    data[start:end] = bytes(end - start)
    path.write_bytes(data)
    return f"zeros from {start}"


def _remove(path: Path, draw: random.Random) -> str:
    path.unlink()
    return "removed"


def _empty(path: Path, draw: random.Random) -> str:
    path.write_bytes(b"")
    return "emptied"


def _text(path: Path, draw: random.Random) -> str:
    path.write_bytes(b"<!DOCTYPE html><html>404</html>")
    return "a web page"


def _value(path: Path, draw: random.Random) -> str:
    content = json.loads(path.read_text(encoding="utf-8"))
    places = list(_places(content))
    if not places:
        path.write_text(json.dumps(draw.choice(VALUES)), encoding="utf-8")
        return "another document"
    owner, key = draw.choice(places)
    owner[key] = draw.choice(VALUES)
    path.write_text(json.dumps(content), encoding="utf-8")
    return f"{key} = {owner[key]!r}"


def _drop(path: Path, draw: random.Random) -> str:
    content = json.loads(path.read_text(encoding="utf-8"))
    places = [(owner, key) for owner, key in _places(content) if isinstance(owner, dict)]
    if not places:
        return _remove(path, draw)
    owner, key = draw.choice(places)
    del owner[key]
    path.write_text(json.dumps(content), encoding="utf-8")
    return f"without {key}"


def _places(content: Any) -> Any:
    items = content.items() if isinstance(content, dict) else ()
    if isinstance(content, list):
        items = enumerate(content)
    for key, value in list(items):
        yield content, key
        yield from _places(value)
