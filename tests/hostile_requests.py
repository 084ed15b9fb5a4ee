"""Requests that a server must refuse, each wrong in one way; and whatever chance makes of one."""

from __future__ import annotations

import base64
import copy
import io
import json
import random
import struct
import zlib
from collections.abc import Iterator
from typing import Any

from PIL import Image
from served import COLOR, chat, data_url

from seal.text.targets import CONTROL_MARKS

INFINITY = "1e999"
_HALF = "\ud800"
_OBJECTS: list[Any] = [None, 0, -1, 1.5, True, "", "x", [], {}, [[]], {"a": 1}]


def _png(width: int, height: int) -> bytes:
    """Nothing but the head."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 99))


def png_head_url(width: int, height: int) -> str:
    """Of a picture whose pixels are not there."""
    return _url(_png(width, height))


def chunk(kind: bytes, data: bytes) -> bytes:
    """Of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _url(content: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _cut_png(share: float) -> bytes:
    file = io.BytesIO()
    Image.effect_noise((64, 64), 90).save(file, "PNG")
    return file.getvalue()[: int(len(file.getvalue()) * share)]


_SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
_EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n%%EOF\n"
URLS = [
    "", "x", "a.png", "/etc/passwd", "../../etc/passwd", "~/.ssh/id_rsa", "file:///etc/passwd",
    "file://localhost/etc/passwd", "http://127.0.0.1:9/x.png", "https://127.0.0.1:9/x.png",
    "http://169.254.169.254/latest/meta-data", "ftp://127.0.0.1/x", "//127.0.0.1/x.png",
    "\\\\127.0.0.1\\share\\x.png", "gopher://127.0.0.1", "jar:file:///x!/y", "blob:x", "\0",
    "data:", "data:,", "data:image/png", "data:image/png,AAAA", "data:image/png;base64",
    "data:image/png;base64,", "data:image/png;base64,!!!!", "data:image/png;base64,AAAA",
    "data:image/png;base64,A", "data:image/png;charset=x,AAAA", "data:;base64,AAAA",
    "data:image/png;base64,\u00e9", "data:image/png;base64;base64,AAAA", " data:image/png;base64,A",
    "data:" + "x" * 10_000, "data:image/png;base64,file:///etc/passwd",
    _url(_SVG, "svg+xml"), _url(_EPS), _url(b"%PDF-1.7 x", "pdf"), _url(b"PK\x03\x04"),
    _url(b"GIF89a" + b"\xff" * 4), _url(b"BM" + b"\xff" * 99), _url(b"RIFF\xff\xff\xff\xffWEBP"),
    _url(_png(65_535, 65_535)), _url(_png(2**31 - 1, 9)), _url(_png(0, 5)), _url(_png(9, 9)),
    _url(_png(30_000, 2_000)), _url(_cut_png(0.1)), _url(_cut_png(0.5)), _url(_cut_png(0.9)),
    _url(b"\xff\xd8\xff\xe0" + bytes(99), "jpeg"), _url(b"II*\0" + bytes(99), "tiff"),
    _url(b"#!/bin/sh\necho x"), _url(b"\x89PNG\r\n\x1a\n"), _url(b"P6 9999 9999 255\n"),
    _url(b"\x89PNG\r\n\x1a\n" + chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**7)))),
    _HALF,
]  # fmt: skip
_CONTENTS: list[Any] = [
    None, 0, 1.5, True, "", "  \n ", {}, [], [0], ["x"], [[]], [{}], [{"type": "text"}],
    [{"type": "text", "text": 0}], [{"type": "text", "text": None}], [{"type": "image"}],
    [{"type": "video_url", "video_url": {"url": "x"}}], [{"type": "input_audio"}],
    [{"type": "image_url"}], [{"type": "image_url", "image_url": 0}],
    [{"type": "image_url", "image_url": "/etc/passwd"}], [{"type": "image_url", "image_url": {}}],
    [{"type": "image_url", "image_url": {"url": 0}}], [{"type": ["text"], "text": "x"}],
    [{"type": "file", "file": {"file_id": "x"}}], [{"type": "text", "text": "x"}] * 300,
    _HALF, "x" * 200_000, [{"type": "text", "text": _HALF}],
]  # fmt: skip
_FIELDS: dict[str, list[Any]] = {
    "model": [None, 0, 1.5, True, "", "x", [], {}, _HALF, "x" * 9999],
    "messages": [None, 0, "", "x", {}, [], [0], [None], ["x"], [[]], [{}], True],
    "stream": [0, 1, "true", [], {}],
    "stream_options": [{"include_usage": True}, 0, "x", [1]],
    "n": [0, 2, -1, "1", True, 1.5, []],
    "max_tokens": [0, -1, 1.5, "5", True, [], {}, INFINITY],
    "max_completion_tokens": [0, -1, 1.5, "5", True, [], {}],
    "temperature": ["hot", [], {}, True, INFINITY],
    "top_p": ["x", [], {}],
    "stop": [0, {}, [0], ["a"] * 17, _HALF, [[]]],
    "tools": [[{}], "x", {"a": 1}],
    "functions": [[{}]],
    "response_format": ["json", {"type": "json_object"}, 1, []],
    "logprobs": [True, 1],
    "top_logprobs": [3],
    "logit_bias": [{"1": 5}],
    "modalities": [["audio"], "text"],
    "audio": [{"voice": "x"}],
    "prediction": [{"type": "content"}],
}
_SEAL: list[Any] = [
    0, "x", [], True, {"other": 1}, {"options": "red"}, {"options": [0]}, {"options": ["a", "a"]},
    {"options": [""]}, {"options": ["x"] * 65}, {"options": [_HALF]}, {"options": {"a": 1}},
    {"targets": "mug"}, {"targets": [0]}, {"targets": [""]}, {"targets": ["..."]},
    {"targets": ["\0"]}, {"targets": ["x" * 501]}, {"targets": ["x"] * 17}, {"targets": [_HALF]},
    {"search": 0}, {"search": "no"}, {"search": False, "targets": ["mug"]}, {"budget": 0},
    {"budget": []}, {"budget": {"nodes": 0}}, {"budget": {"nodes": 1.5}},
    {"budget": {"nodes": True}}, {"budget": {"seconds": "x"}}, {"budget": {"seconds": -1}},
    {"budget": {"seconds": INFINITY}}, {"budget": {"calls": -1}}, {"budget": {"other": 1}},
    {"trace": "x"}, {"__class__": 1}, {"": 1},
]  # fmt: skip
_BODIES = [
    b"", b"{", b"null", b"[]", b'"x"', b"5", b"{}", b"\xff\xfe", "{}".encode("utf-16"), b"\0",
    b"\xef\xbb\xbf{}", b'{"a": NaN}', b'{"a": Infinity}', b'{"a": -Infinity}', b"[" * 100_000,
    b'{"a":' * 10_000, b'{"a": ' + b"9" * 5000 + b"}", b"{'model': 'seal'}", b"<xml/>",
    b'{"model": "\xc3\x28"}', b"--x\r\nContent-Disposition: form-data\r\n\r\n",
]  # fmt: skip


def wrong_requests() -> Iterator[bytes]:
    """Bodies; each is refused with 400, 404 or 413."""
    for url in URLS:
        yield _bytes(chat(COLOR, url or "x"))
    for content in _CONTENTS:
        yield _bytes({"model": "seal", "messages": [{"role": "user", "content": content}]})
    for name, values in _FIELDS.items():
        for value in values:
            yield _bytes(chat() | {name: value})
    for seal in _SEAL:
        yield _bytes(chat(seal=seal))
    for role in (None, 0, "robot", "tool", "function", [], {}, True, _HALF, "User"):
        yield _bytes({"model": "seal", "messages": [{"role": role, "content": COLOR}]})
    for mark in CONTROL_MARKS:
        yield _bytes(chat(f"What is {mark} there?"))
        yield _bytes(chat(COLOR, seal={"targets": [f"a {mark} mug"]}))
        yield _bytes(chat(COLOR, seal={"options": ["red", f"{mark}blue"]}))
        messages = [{"role": "system", "content": mark}, {"role": "user", "content": COLOR}]
        yield _bytes({"model": "seal", "messages": messages})
    yield _bytes(chat(COLOR, seal={"targets": ["a [LOC] mug"]}))
    yield from _BODIES
    two = chat()
    two["messages"][0]["content"].insert(0, two["messages"][0]["content"][0])
    yield _bytes(two)
    for last in ({"role": "assistant", "content": "Yes."}, {"role": "system", "content": "x"}):
        talk = chat()
        talk["messages"].append(last)
        yield _bytes(talk)
    whole = _bytes(chat())
    for i in range(60):
        yield whole[: len(whole) * i // 60]


def chance_requests(count: int, seed: int = 0) -> Iterator[bytes]:
    """A good request with one thing in it replaced by another; some are still good."""
    rng = random.Random(seed)
    small = data_url(Image.new("RGB", (64, 64)))
    whole = chat(COLOR, small, seal={"options": ["red", "blue"], "targets": ["mug"]}, stop=["."])
    for _ in range(count):
        body = copy.deepcopy(whole)
        places = list(_places(body))
        of, key = rng.choice(places)
        of[key] = rng.choice([*_OBJECTS, INFINITY, _HALF, 10**30, rng.choice(URLS)])
        yield _bytes(body)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys = value if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


def _bytes(body: Any) -> bytes:
    return json.dumps(body).replace(f'"{INFINITY}"', INFINITY).encode()
