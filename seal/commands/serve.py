"""`seal serve`: an OpenAI-compatible server whose answers come from show, search and tell."""

from __future__ import annotations

import argparse
import os
import socket
from typing import Any

from seal.commands.model_options import add_models, open_seal, tell_stderr

_ABOUT = """\
Serve POST /v1/chat/completions, GET /v1/models, /healthz and /metrics (Prometheus).

A request asks one question about at most one picture, which it carries as a data URL; nothing is
ever fetched or opened for it. Its answer says in the field `seal` what was missing, searched for
and found, with boxes in pixels; a stream tells each step while it happens. `seal` in a request may
name "options" to choose from, "targets" to search for, "search": false, a "budget" of nodes, calls
or seconds for each search, and "trace": true for every visit.
"""
_EXAMPLE = """\

  curl -s http://127.0.0.1:8000/v1/chat/completions -d @request.json \\
      -H "Content-Type: application/json"
  request.json: {"model": "seal", "messages": [{"role": "user", "content": [
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,..."}},
    {"type": "text", "text": "What color is the mug?"}]}]}

SIGTERM and ctrl-c: no new questions, and those that are open are answered; again: at once.
"""
EXTRA = 'pip install "seal[serve]"'


def add_serve(commands: Any) -> None:
    parser = commands.add_parser(
        "serve", help="answer questions over HTTP, in OpenAI's form", description=_ABOUT
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port", type=int, default=8000, metavar="N", help="0: any free one (%(default)s)"
    )
    parser.add_argument(
        "--api-key-env", metavar="NAME",
        help="the environment variable with the key that requests must bring, as in SEAL_API_KEY "
        "(no key: whoever reaches the port may ask)",
    )  # fmt: skip
    parser.add_argument(
        "--model-name", default="seal", metavar="NAME", help="what requests call it (%(default)s)"
    )
    limits = parser.add_argument_group("limits, each told in the error of who exceeds it")
    for name, kind, default, told in (
        ("max-body-mb", float, 100, "of one request; an 8K photo as PNG takes up to 95"),
        ("max-held-mb", float, 2000, "of all requests that are there at a time"),
        ("max-image-pixels", int, 50_000_000, "of a picture; 7680 x 4320 is 33177600"),
        ("max-waiting", int, 256, "questions that wait for a place; more are told to come again"),
        ("max-questions", int, None, "questions under way at a time (what suits the models)"),
        ("max-tokens", int, 200, "of an answer, whatever more a request asks for"),
        ("timeout", float, 600, "seconds of a request"),
        ("grace", float, 60, "seconds that open requests have once it is told to stop"),
    ):
        shown = "" if default is None else f" ({default})"
        limits.add_argument(f"--{name}", type=kind, default=default, metavar="N", help=told + shown)
    add_models(parser)
    parser.epilog = f"{parser.epilog}\n{_EXAMPLE}"
    parser.set_defaults(run=serve)


def serve(arguments: argparse.Namespace) -> int:
    """Load the models, then serve until told to stop."""
    try:
        from seal.serving.server import serve as serve_until_stopped
    except ModuleNotFoundError as error:
        raise ValueError(f"seal serve needs {error.name}: {EXTRA}") from None
    from seal.serving.config import ServeConfig

    if not 0 <= arguments.port <= 65535:
        raise ValueError(f"--port {arguments.port} is none: 0 to 65535")
    names = (
        "model_name", "max_body_mb", "max_held_mb", "max_image_pixels", "max_waiting",
        "max_questions", "max_tokens", "timeout", "grace",
    )  # fmt: skip
    # What is wrong with these is told before a model is loaded.
    config = ServeConfig(
        api_key=_key(arguments.api_key_env), **{name: getattr(arguments, name) for name in names}
    )
    _check_port(arguments.host, arguments.port)
    seal = open_seal(arguments)
    return serve_until_stopped(seal, config, arguments.host, arguments.port, tell=tell_stderr)


def _check_port(host: str, port: int) -> None:
    """Refuse an address that cannot be listened on."""
    try:
        (family, *_, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        raise ValueError(
            f"--host {host} --port {port}: {error.strerror or error}; choose another"
        ) from None


def _key(variable: str | None) -> str | None:
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ValueError(f"--api-key-env {variable}: the environment variable is not set, or empty")
    return key
