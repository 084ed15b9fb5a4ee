"""Requests to an ASGI application in this process, piece by piece, and what comes back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

JSON = {"content-type": "application/json"}


@dataclass
class Got:
    """What an application sent."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    whole: bool = False  # it said that this is all

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        return self.json()["error"]

    def events(self) -> list[Any]:
        """Of a stream of server-sent events."""
        lines = [line[6:] for line in self.body.decode().split("\n\n") if line.startswith("data: ")]
        return [line if line == "[DONE]" else json.loads(line) for line in lines]


async def request(
    app: Any,
    method: str,
    path: str,
    body: bytes | Iterable[bytes] = b"",
    headers: dict[str, str] | None = None,
    *,
    gone: asyncio.Event | None = None,
) -> Got:
    """`gone`: set when the client goes away; None: it stays."""
    heads = {"host": "127.0.0.1", **({} if headers is None else headers)}
    scope = {
        "type": "http", "method": method, "path": path, "query_string": b"",
        "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in heads.items()],
    }  # fmt: skip
    pieces = iter([body] if isinstance(body, bytes) else body)
    ended, got, left = False, Got(), gone or asyncio.Event()

    async def receive() -> dict[str, Any]:
        nonlocal ended
        piece = None if ended else next(pieces, None)
        if piece is not None:
            return {"type": "http.request", "body": piece, "more_body": True}
        if not ended:
            ended = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            got.status = message["status"]
            got.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        else:
            got.body += message["body"]
            got.whole = not message.get("more_body", False)

    await app(scope, receive, send)
    return got


def ask(app: Any, body: Any, headers: dict[str, str] | None = None) -> Got:
    """One chat request; `body`: JSON-able, or bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return asyncio.run(
        request(app, "POST", "/v1/chat/completions", content, JSON | (headers or {}))
    )


def get(app: Any, path: str, headers: dict[str, str] | None = None, method: str = "GET") -> Got:
    return asyncio.run(request(app, method, path, headers=headers))
