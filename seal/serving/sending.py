"""Sends replies over ASGI: a whole one, or a stream piece by piece."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from seal.serving.body import ClientGoneError, Message, Send

UNREAD_SECONDS = 60.0  # that a piece of a stream waits for its reader


@dataclass(frozen=True, slots=True)
class Reply:
    """JSON unless its head says otherwise."""

    status: int
    content: bytes
    headers: dict[str, str] = field(default_factory=dict)


async def send_reply(send: Send, reply: Reply, *, head: bool = False) -> None:
    """`head`: without the content, as a HEAD request wants it."""
    headers = {
        "content-type": "application/json",
        "content-length": str(len(reply.content)),
        **reply.headers,
    }
    await _start(send, reply.status, headers)
    await send({"type": "http.response.body", "body": b"" if head else reply.content})


class Stream:
    """Server-sent events; its head is sent with the first piece."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def write(self, piece: bytes) -> None:
        if not self.begun:
            self.begun = True
            headers = {"content-type": "text/event-stream", "cache-control": "no-cache"}
            await _start(self._send, 200, headers)
        await self._taken({"type": "http.response.body", "body": piece, "more_body": True})

    async def _taken(self, message: Message) -> None:
        """
        Raises:
            ClientGoneError: who asked is there, and reads nothing.
        """
        try:
            await asyncio.wait_for(self._send(message), UNREAD_SECONDS)
        except asyncio.TimeoutError:
            raise ClientGoneError from None

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": b""})


async def _start(send: Send, status: int, headers: dict[str, str]) -> None:
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
