"""`seal mcp`: tools for agents, over the Model Context Protocol."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path
from typing import Any

from seal.commands.model_options import add_models, open_seal, tell_stderr
from seal.search.strategies import VICROP

_MANUAL = """\
Tools for agents: locate (find a thing in an image, however small), zoom (look closely at a region)
and ask (answer, searching for what cannot be seen). Over stdio, as agents start their servers, or
with --port over HTTP on this machine alone. An image is given as a data URL, or as a path in a
folder of --images; nothing else is read from this disk, and nothing from a network.

An agent's configuration:
  {"mcpServers": {"seal": {"command": "seal", "args": ["mcp", "--images", "/home/me/photos"]}}}
Models stay loaded for all that ask:
  seal mcp --port 8010 --images seen/
lmms-eval starts a Python file for each call, and writes its images to work_dir; in seal_tools.py
  import os; os.execvp("seal", ["seal", "mcp", "--connect", "http://127.0.0.1:8010/mcp"])
and then
  --model async_openai --model_args model=...,mcp_server_path=seal_tools.py,work_dir=seen/
"""


def add_mcp(commands: Any) -> None:
    parser = commands.add_parser(
        "mcp",
        help="tools for agents: find, zoom, ask (Model Context Protocol)",
        description=_MANUAL,
    )
    parser.add_argument(
        "--images", action="append", default=[], type=Path, metavar="FOLDER",
        help="images in it may be named by their paths (repeat; none)",
    )  # fmt: skip
    parser.add_argument(
        "--port", type=int, metavar="N",
        help="serve streamable HTTP at http://127.0.0.1:N/mcp instead of stdio (0: any free port)",
    )  # fmt: skip
    parser.add_argument(
        "--connect", metavar="ADDRESS",
        help="load no model: hand the calls on stdio to the server at http://HOST:PORT/mcp",
    )  # fmt: skip
    parser.add_argument(
        "--no-ask", action="store_true", help="load no answer model: locate and zoom alone"
    )
    parser.add_argument(
        "--most-megapixels", type=float, default=120, metavar="N",
        help="of an image; larger ones are refused (%(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--most-megabytes", type=float, default=64, metavar="N",
        help="of an image's file (%(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--timeout", type=float, default=600, metavar="SECONDS",
        help="after which a call is given up (%(default)g)",
    )  # fmt: skip
    add_models(parser)
    parser.set_defaults(run=mcp)


def mcp(arguments: argparse.Namespace) -> int:
    """Serve until the client goes away, or a signal comes."""
    if importlib.util.find_spec("mcp") is None:
        raise ValueError("seal mcp needs the MCP SDK: pip install 'seal[mcp]'")
    if arguments.connect is not None:
        from seal.mcp.relay import relay_stdio

        relay_stdio(arguments.connect)
        return 0
    if arguments.timeout <= 0:
        raise ValueError(f"--timeout {arguments.timeout:g}: give a number of seconds above 0")
    from seal.mcp.images import CalledImages, ImageLimits

    limits = ImageLimits(
        bytes=round(arguments.most_megabytes * (1 << 20)),
        pixels=round(arguments.most_megapixels * 1e6),
    )
    images = CalledImages(arguments.images, limits)
    if arguments.no_ask and arguments.search not in ("none", *VICROP):
        arguments.answers = False
    return _serve(arguments, images)


def _serve(arguments: argparse.Namespace, images: Any) -> int:
    from seal.mcp.schemas import tools as listed
    from seal.mcp.server import LoadedModels, build_server, serve_http, serve_stdio
    from seal.mcp.tools import Tools

    models = LoadedModels(lambda: open_seal(arguments, tell=tell_stderr))
    try:
        tools = Tools(images, models, timeout=arguments.timeout)
        told = listed(
            folders=bool(images.folders),
            answers=not arguments.no_ask,
            searches=arguments.search != "none",
        )
        server = build_server(tools, told)
        if arguments.port is None:
            serve_stdio(server)
        else:
            models.queue()  # what is wrong is told before anybody connects
            serve_http(server, arguments.port, most_bytes=images.limits.bytes, tell=tell_stderr)
    finally:
        models.close()
    return 0
