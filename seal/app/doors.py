"""What the page's server lets in: the few addresses the page needs, and no file or URL by name.

Gradio's server knows more than a local page needs: it fetches URLs that a caller names, serves
files, and has addresses for programs. All of that stays shut.
"""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import unquote

Message: TypeAlias = "dict[str, Any]"
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Mapping[str, Any], Receive, Send], Awaitable[None]]

MOST_BODY = 2_000_000  # bytes of a request that is no upload
_WHOLE = {"/", "/config", "/theme.css", "/favicon.ico", "/robots.txt", "/manifest.json"}
_BEGINNINGS = ("/assets/", "/static/", "/svelte/")
_API = "/gradio_api"
_API_WHOLE = {
    "/queue/join", "/queue/data", "/upload", "/upload_progress", "/startup-events", "/theme.css",
    "/reset", "/cancel", "/app_id", "/login_check", "/token", "/user",
}  # fmt: skip
_FILE = "/file="


class Doors:
    """ASGI middleware around gradio's app."""

    def __init__(self, app: App, folder: Path) -> None:
        """`folder`: the one whose files are served: pictures of examples, saved sessions."""
        self.app, self.folder = app, folder.resolve()

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] != "websocket":  # the start and the end of the server
                await self.app(scope, receive, send)
            return
        path = str(scope["path"])
        if not self._known(path):
            await _refuse(send, 404, f"there is nothing at {path[:100]} on this page")
            return
        if scope["method"] == "POST" and not path.endswith("/upload"):
            body = await _whole(receive)
            why = "more than the page ever sends" if body is None else self._wrong(body)
            if body is None or why:
                await _refuse(send, 413 if body is None else 400, why)
                return
            receive = _again(body, receive)
        await self.app(scope, receive, send)

    def _known(self, path: str) -> bool:
        if path in _WHOLE or path.startswith(_BEGINNINGS):
            return ".." not in path
        if not path.startswith(_API):
            return False
        rest = path[len(_API) :].rstrip("/")
        if rest.startswith(_FILE):
            return self._ours(unquote(rest[len(_FILE) :]))
        return rest in _API_WHOLE or rest.startswith("/heartbeat/")

    def _ours(self, name: str) -> bool:
        """Whether a path names something in the page's own folder."""
        return os.path.isabs(name) and Path(name).resolve().is_relative_to(self.folder)

    def _wrong(self, body: bytes) -> str:
        """Why a message of the page is refused; "": it is not."""
        try:
            return self._named(json.loads(body or b"{}"))
        except (ValueError, RecursionError):
            return "that is no message of this page"

    def _named(self, value: Any) -> str:
        """What is wrong with the files that a message names, as gradio would read or fetch them."""
        if isinstance(value, list):
            return next(filter(None, map(self._named, value)), "")
        if not isinstance(value, dict):
            return ""
        path = value.get("path")
        names_file = path is not None or value.get("url") is not None or "meta" in value
        if names_file and not (isinstance(path, str) and self._ours(path)):
            return "only files that are dropped on the page are read, and nothing is fetched"
        return next(filter(None, map(self._named, value.values())), "")


async def _whole(receive: Receive) -> bytes | None:
    """The body of a request; None: it is too long."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return bytes(body)
        body += message.get("body", b"")
        if len(body) > MOST_BODY:
            return None
        if not message.get("more_body"):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """`receive` for whoever reads the body that was read already."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _refuse(send: Send, status: int, why: str) -> None:
    content = json.dumps({"detail": why}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
