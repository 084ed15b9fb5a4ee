"""Hostile requests: each a 4xx in a line, nothing read from disk or network, the server alive."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import sys
import tracemalloc
import zlib

import pytest
from asgi import JSON, ask, request
from hostile_requests import chance_requests, chunk, png_head_url, wrong_requests
from PIL import Image
from served import SIDE, SKY, application, chat

CHAT = "/v1/chat/completions"
_watched: list[list[str]] = []  # a hook cannot be taken away again
_EVENTS = ("open", "socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system")


def _hook(event, arguments):
    if _watched and event in _EVENTS:
        told = f"{event} {arguments[0] if event == 'open' else arguments}"
        if not told.endswith((".py", ".pyc", ".so")):  # of an import
            _watched[-1].append(told)


@pytest.fixture(scope="module")
def reached():
    """What this process opened or connected to since."""
    sys.addaudithook(_hook)
    made: list[str] = []
    _watched.append(made)
    yield made
    _watched.pop()


def test_every_wrong_request_is_refused_in_a_line_and_nothing_is_read(reached):
    bodies = list(wrong_requests())
    assert len(bodies) >= 300

    async def go(app):
        got = [await request(app, "POST", CHAT, body, JSON) for body in bodies]
        good = await request(app, "POST", CHAT, json.dumps(chat(SIDE)).encode(), JSON)
        return got, good

    with application() as app:
        asyncio.run(go(app))  # what is imported at first is imported
        reached.clear()
        got, good = asyncio.run(go(app))
        told = list(reached)
    for body, each in zip(bodies, got, strict=True):
        assert 400 <= each.status < 500, (body[:300], each.body)
        message = each.error["message"]
        assert message and "\n" not in message and len(message) <= 500
        assert each.whole and "Traceback" not in message
    assert good.json()["choices"][0]["message"]["content"] == "yes"
    assert told == []


def test_whatever_chance_makes_of_a_request_the_server_does_not_fail():
    with application() as app:

        async def go():
            bodies = list(chance_requests(300))
            got = [await request(app, "POST", CHAT, body, JSON) for body in bodies]
            for body, each in zip(bodies, got, strict=True):
                assert each.status == 200 or 400 <= each.status < 500, (body[:300], each.body)
            assert sum(each.status != 200 for each in got) > 150

        asyncio.run(go())
        assert ask(app, chat(SKY)).status == 200


def test_a_whole_number_above_every_float_is_a_number():
    with application() as app:
        assert ask(app, chat(SKY, temperature=10**400)).status == 200


def test_a_row_of_millions_of_pixels_is_refused_before_it_is_opened():
    with application() as app:
        got = ask(app, chat(SKY, png_head_url(25_000_000, 1)))
    assert got.status == 413 and "25000000 x 1" in got.error["message"]


@pytest.mark.parametrize("at", [33, -12], ids=["behind its head", "behind its pixels"])
@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_texts_that_unpack_to_gigabytes_are_never_unpacked(kind, at):
    bomb = zlib.compress(bytes(50_000_000), 1)
    head = {b"zTXt": b"a\0\0", b"iTXt": b"a\0\1\0\0\0", b"iCCP": b"a\0\0"}[kind]
    file = io.BytesIO()
    Image.new("RGB", (64, 64)).save(file, "PNG")
    png = file.getvalue()
    content = png[:at] + chunk(kind, head + bomb) + png[at:]
    url = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    with application() as app:
        ask(app, chat(SKY))
        tracemalloc.start()
        got = ask(app, chat(SKY, url))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert got.status == 200 and peak < 20e6
