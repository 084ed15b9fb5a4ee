"""Damage to files, drawn: bytes of any file, values of a JSON document or of a pickle."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from seal.building.formats.safe_pickle import load_plain

DEEP = 100_000  # brackets
# What JSON text holds and Python's values do not; by the text that stands for it at first.
_RAW = {
    "raw:deep": "[" * DEEP + "]" * DEEP,
    "raw:deep object": '{"a":' * DEEP + "1" + "}" * DEEP,
    "raw:digits": "9" * 5000,
    "raw:big": "9" * 400,
    "raw:1e308": "1e308",
    "raw:-1e308": "-1e308",
    "raw:1e999": "1e999",
    "raw:nan": "NaN",
    "raw:infinity": "Infinity",
    "raw:surrogate": '"\\ud800"',
    "raw:half": '"a \\udc00 b"',
}
_VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, -7.5, 3.5, 10**12, [], [None], [1], ["a"], [[]], {}, {"a": 1}),
    *("", " ", "a", "12", "1_0", "-1", "nan", "1e5", "\uff17", "<image>", "<object>", "a\nb"),
    *("a\0b", "../x", "/etc/passwd", "x" * 5000),
    *_RAW,
]


def mutate(path: Path, rng: np.random.Generator) -> str:
    """Damage a file in place; what was done to it."""
    data = path.read_bytes()
    tree = path.suffix in (".json", ".p")
    if tree and rng.random() < 0.6:
        value = load_plain(path) if path.suffix == ".p" else json.loads(data)
        what, value = mutate_value(value, rng)
        path.write_bytes(pickle.dumps(value, 2) if path.suffix == ".p" else json_text(value))
        return what
    what, data = mutate_bytes(data, rng, text=path.suffix in (".json", ".txt"))
    path.write_bytes(data)
    return what


def mutate_bytes(data: bytes, rng: np.random.Generator, *, text: bool) -> tuple[str, bytes]:
    """Cut, flipped, overwritten, doubled or lengthened."""
    kinds = ["cut", "flip", "flip", "flip", "zeros", "twice", "behind", "inside"]
    kind = str(rng.choice([*kinds, "mark"] if text else kinds))
    place = int(rng.integers(len(data)))
    end = min(len(data), place + int(rng.integers(1, 40)))
    if kind == "cut":
        return f"cut at {place}", data[:place]
    if kind == "flip":
        flipped = bytearray(data)
        for bit in rng.integers(8 * len(data), size=int(rng.integers(1, 5))).tolist():
            flipped[bit // 8] ^= 1 << bit % 8
        return "flip bits", bytes(flipped)
    if kind == "zeros":
        return f"zeros at {place}", data[:place] + bytes(end - place) + data[end:]
    if kind == "twice":
        return f"bytes {place} to {end} twice", data[:end] + data[place:end] + data[end:]
    if kind == "mark":
        return "byte order mark", b"\xef\xbb\xbf" + data
    more = [b"\xff\xfe", b"{}", b"]", b"\x80abc", b"\0", b"x"][int(rng.integers(6))]
    if kind == "behind":
        return f"{more!r} behind the end", data + more
    return f"{more!r} at {place}", data[:place] + more + data[place:]


def mutate_value(value: Any, rng: np.random.Generator) -> tuple[str, Any]:
    """A copy with one value replaced, or one member or element removed, renamed or doubled."""
    value = {"": copy.deepcopy(value)}
    holders = list(_holders(value))
    holder = holders[int(rng.integers(len(holders)))]
    keys = list(range(len(holder))) if isinstance(holder, list) else list(holder)
    key = keys[int(rng.integers(len(keys)))]
    kind = str(
        rng.choice(["replace", "replace", "replace", "replace", "remove", "rename", "twice"])
    )
    if holder is value:
        kind = "replace"
    what = f"{kind} {key!r} of {str(holder)[:80]}"
    if kind == "replace":
        holder[key] = copy.deepcopy(_VALUES[int(rng.integers(len(_VALUES)))])
        what += f" by {str(holder[key])[:40]!r}"
    elif kind == "remove":
        del holder[key]
    elif isinstance(holder, list):
        holder.insert(key, copy.deepcopy(holder[key]))
    elif kind == "rename":
        holder[f"{key}x"] = holder.pop(key)
    else:
        other = keys[int(rng.integers(len(keys)))]
        holder[f"{key}raw:twice"] = copy.deepcopy(holder[other])  # the same key again
    return what, value[""]


def _holders(value: Any) -> Any:
    """Every list and object that holds something."""
    if isinstance(value, (dict, list)) and value:
        yield value
        for member in value.values() if isinstance(value, dict) else value:
            yield from _holders(member)


def json_text(value: Any) -> bytes:
    """JSON with what only its text can hold in place of what stands for it."""
    text = json.dumps(value, ensure_ascii=False).replace("raw:twice", "")
    for mark, raw in _RAW.items():
        text = text.replace(f'"{mark}"', raw)
    return text.encode("utf-8", "surrogatepass")
