"""The Model Context Protocol server: search and zoom for agents, over stdio or HTTP on loopback."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import anyio
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp_types import CallToolRequestParams, CallToolResult, ListToolsResult, Tool

from seal.mcp.schemas import INSTRUCTIONS
from seal.mcp.tools import Tools
from seal.pipeline import Seal
from seal.pipeline.ask_queue import AskQueue
from seal.version import __version__

HOST = "127.0.0.1"  # no other: whoever reaches the port may read what the server may read
_ENVELOPE = 1 << 20  # bytes of a request besides its image


class LoadedModels:
    """The models, loaded on a thread of their own: a client need not wait to say hello."""

    def __init__(self, load: Callable[[], Seal], *, concurrency: int | None = None) -> None:
        self._load, self._concurrency = load, concurrency
        self._ready = threading.Event()
        self._queue: AskQueue | None = None
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="mcp-load", daemon=True)
        self._thread.start()

    def queue(self) -> AskQueue:
        """Wait for the models; raises what loading failed with."""
        self._ready.wait()
        if self._failure is not None:
            raise self._failure
        assert self._queue is not None
        return self._queue

    def close(self) -> None:
        """Give up what is under way."""
        with suppress(Exception):
            if self._ready.is_set():
                self.queue().close(drain=False)

    def _work(self) -> None:
        try:
            self._queue = self._load().queue(concurrency=self._concurrency)
        except Exception as error:
            self._failure = error
            print(f"seal: {' '.join(str(error).split())}", file=sys.stderr)
        finally:
            self._ready.set()


def build_server(tools: Tools, listed: list[Tool]) -> Server[Any]:
    """The server of these tools; `listed` is what a client is told of them."""

    async def list_tools(context: Any, params: Any) -> ListToolsResult:
        return ListToolsResult(tools=listed)

    async def call_tool(context: Any, params: CallToolRequestParams) -> CallToolResult:
        return await tools.call(params.name, params.arguments or {})

    return Server(
        "seal",
        version=__version__,
        title="SEAL: visual search",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def serve_stdio(server: Server[Any]) -> None:
    """Serve one client on stdin and stdout until it goes away.

    stdout belongs to the protocol: what is printed meanwhile goes to stderr.
    """

    async def run() -> None:
        async with stdio_server() as (reader, writer):
            await server.run(reader, writer, server.create_initialization_options())

    anyio.run(run)


def serve_http(
    server: Server[Any], port: int, *, most_bytes: int, tell: Callable[[str], None]
) -> None:
    """Serve any number of clients at http://127.0.0.1:PORT/mcp until a signal ends it.

    port: 0 takes any that is free; `tell` is told the address. most_bytes: of an image's file.

    Raises:
        ValueError: the port is taken.
    """
    import uvicorn

    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError as error:
        raise ValueError(
            f"port {port} of {HOST} cannot be had: {error.strerror}; give another --port"
        ) from None
    app = server.streamable_http_app(
        stateless_http=True,  # a call needs nothing of the one before
        max_request_body_size=most_bytes * 4 // 3 + _ENVELOPE,
        host=HOST,
    )
    tell(f"serving MCP at http://{HOST}:{listening.getsockname()[1]}/mcp")
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=5)
    uvicorn.Server(config).run(sockets=[listening])
