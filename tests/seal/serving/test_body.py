"""Bodies that are too long, in pieces, or too many: never held."""

from __future__ import annotations

import asyncio
import json
import tracemalloc

from asgi import JSON, request
from served import SKY, application, chat

CHAT = "/v1/chat/completions"
PIECE = b" " * 1_000_000


def post(app, body, headers=JSON):
    return asyncio.run(request(app, "POST", CHAT, body, headers))


def test_a_long_body_is_refused_and_not_held_whatever_its_head_says():
    with application(max_body_mb=2) as app:
        post(app, json.dumps(chat(SKY)).encode())  # what is made once is made
        for told in ({}, {"content-length": "100000000"}, {"content-length": "5"}):
            tracemalloc.start()
            got = post(app, (PIECE for _ in range(100)), JSON | told)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert (got.status, got.error["code"]) == (413, "body_too_large")
            assert got.headers["connection"] == "close" and peak < 8e6
        assert app.metrics.held._value.get() == 0


def test_a_body_in_pieces_is_put_together():
    body = json.dumps(chat(SKY)).encode()
    with application() as app:
        got = post(app, (body[i : i + 100] for i in range(0, len(body), 100)))
        assert got.status == 200


def test_bodies_together_are_held_up_to_a_limit():
    async def go():
        with application(max_body_mb=1, max_held_mb=1) as app:
            come = asyncio.Event()

            async def receive():
                if not come.is_set():
                    come.set()
                    return {"type": "http.request", "body": PIECE[:900_000], "more_body": True}
                await asyncio.sleep(0.2)
                return {"type": "http.disconnect"}

            async def send(message):
                raise AssertionError(f"nobody is there to be told {message}")

            scope = {"type": "http", "method": "POST", "path": CHAT,
                     "headers": [(b"content-type", b"application/json")]}  # fmt: skip
            one = asyncio.ensure_future(app(scope, receive, send))
            await come.wait()
            await asyncio.sleep(0)
            two = await request(app, "POST", CHAT, PIECE[:200_000], JSON)
            assert (two.status, two.error["code"]) == (429, "server_busy")
            await one
            after = await request(app, "POST", CHAT, json.dumps(chat(SKY)).encode(), JSON)
            assert after.status == 200

    asyncio.run(go())
