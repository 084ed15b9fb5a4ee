"""A server on stdio that hands every call to one that runs already, models loaded.

For harnesses that start a server anew for each call.
"""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

import anyio
from mcp import Client
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp_types import CallToolRequestParams, CallToolResult, ListToolsResult

from seal.mcp.schemas import INSTRUCTIONS
from seal.version import __version__

_SECONDS = 10  # to connect


def relay_stdio(address: str) -> None:
    """Serve one client on stdin and stdout with the tools of the server at `address`.

    Raises:
        ValueError: nothing answers there.
    """
    anyio.run(_relay, address)


async def _relay(address: str) -> None:
    _require_answering(address)
    async with stdio_server() as (reader, writer), Client(address) as client:
        server = _forwarding(client)
        await server.run(reader, writer, server.create_initialization_options())


def _require_answering(address: str) -> None:
    """A line in place of the client's traces."""
    parts = urlsplit(address)
    try:
        if parts.scheme not in ("http", "https") or parts.hostname is None:
            raise ValueError(f"{address}: give http://HOST:PORT/mcp")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname, port), timeout=_SECONDS).close()
    except OSError as error:
        why = error.strerror or error
        raise ValueError(f"nothing answers at {address} ({why}): start seal mcp --port N") from None


def _forwarding(client: Client) -> Server[Any]:
    async def list_tools(context: Any, params: Any) -> ListToolsResult:
        return ListToolsResult(tools=(await client.list_tools()).tools)

    async def call_tool(context: Any, params: CallToolRequestParams) -> CallToolResult:
        return await client.call_tool(params.name, params.arguments or {})

    return Server(
        "seal",
        version=__version__,
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )
