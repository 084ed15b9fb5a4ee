"""Reads the body of a request piece by piece, and never more of it than is allowed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from seal.serving.errors import RequestError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_SPILL_SECONDS = 10.0  # that the rest of a body that is too long may take


class ClientGoneError(Exception):
    """Nobody waits for an answer any more."""


class Held:
    """Bytes of all bodies that are here, below a limit."""

    def __init__(self, most: int) -> None:
        self.most, self.now = most, 0

    def take(self, count: int) -> None:
        """
        Raises:
            RequestError: they would be more than may be held.
        """
        if self.now + count > self.most:
            raise RequestError(
                429,
                f"the requests that are here hold {self.now:,} bytes, and this server holds "
                f"{self.most:,} at the most: come again when some are done",
                code="server_busy",
                headers={"retry-after": "5"},
                close=True,
            )
        self.now += count

    def give(self, count: int) -> None:
        self.now -= count


async def read_body(receive: Receive, told: int | None, most: int, held: Held) -> bytearray:
    """The whole body; its bytes are held, and whoever asked gives them back.

    told: its length as its head says.

    Raises:
        RequestError: it is too long (what is there of it is not kept), or there is no room.
        ClientGoneError: it ended in the middle.
    """
    if told is not None and told > most:
        await _spill(receive, most)
        raise _too_long(most)
    body = bytearray()
    try:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            piece = message.get("body", b"")
            if len(body) + len(piece) > most:
                if message.get("more_body"):
                    held.give(len(body))
                    body = bytearray()
                    await _spill(receive, most)
                raise _too_long(most)
            held.take(len(piece))
            body += piece
            if not message.get("more_body"):
                return body
    except BaseException:
        held.give(len(body))
        raise


async def _spill(receive: Receive, most: int) -> None:
    """Take the rest and throw it away, so that whoever sends it comes to read the answer."""
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(_spill_all(receive, most), _SPILL_SECONDS)


async def _spill_all(receive: Receive, most: int) -> None:
    spilled = 0
    while spilled <= 2 * most:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        spilled += len(message.get("body", b""))
        if not message.get("more_body"):
            return


def _too_long(most: int) -> RequestError:
    return RequestError(
        413,
        f"the body is longer than the {most:,} bytes that this server takes: send a smaller "
        "picture, or one that is compressed better",
        code="body_too_large",
        close=True,
    )
