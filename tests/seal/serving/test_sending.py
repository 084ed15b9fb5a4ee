"""Streams: whoever reads nothing is given up."""

from __future__ import annotations

import asyncio

import pytest

from seal.serving import sending
from seal.serving.body import ClientGoneError
from seal.serving.sending import Stream


def test_a_stream_that_nobody_reads_is_given_up(monkeypatch):
    monkeypatch.setattr(sending, "UNREAD_SECONDS", 0.05)

    async def full(message):
        if message["type"] == "http.response.body":
            await asyncio.sleep(60)

    with pytest.raises(ClientGoneError):
        asyncio.run(Stream(full).write(b"data: 1\n\n"))
