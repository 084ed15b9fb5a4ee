"""Serve the page on this machine until it is told to end."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MOST_UPLOAD = 512 * 1024 * 1024  # bytes of one file: 8K photographs without compression pass


def require_gradio() -> None:
    """Say how to install gradio where it is not.

    Raises:
        ValueError: it is missing.
    """
    try:
        import_gradio()
    except ImportError as error:
        raise ValueError(f"seal app needs gradio ({error}): pip install 'seal[app]'") from None


def import_gradio() -> Any:
    """Gradio, told to leave the network alone."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_RUN_HISTORY"] = "False"
    import gradio

    return gradio


def free_port(host: str, port: int) -> int:
    """`port`, if it is free; 0 takes any.

    Raises:
        ValueError: it is taken, or the address is none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
        except OSError as error:
            if port and error.errno in (98, 48):
                raise ValueError(
                    f"port {port} of {host} is in use: name another, as in --port {port + 1}, or "
                    "--port 0 for any that is free"
                ) from None
            raise ValueError(f"{host}:{port}: {error.strerror}; give --host and --port") from None
        return int(tried.getsockname()[1])


@contextmanager
def page_folder() -> Iterator[Path]:
    """A folder of the page's own for uploads and saved sessions; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="seal-app-")).resolve()
    before = os.environ.get("GRADIO_TEMP_DIR")
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    try:
        yield folder
    finally:
        if before is None:
            os.environ.pop("GRADIO_TEMP_DIR", None)
        else:
            os.environ["GRADIO_TEMP_DIR"] = before
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def served(
    page: Any, folder: Path, *, host: str = "127.0.0.1", port: int = 7860, share: bool = False
) -> Iterator[str]:
    """The page while it is served: its address.

    Raises:
        ValueError: the port is taken.
    """
    from starlette.middleware import Middleware

    from seal.app.doors import Doors
    from seal.app.page_words import PAGE_SCRIPT, PAGE_STYLE

    gradio = import_gradio()
    port = free_port(host, port)
    fonts = ["system-ui", "-apple-system", "Segoe UI", "sans-serif"]
    theme = gradio.themes.Default(
        primary_hue="blue", font=fonts, font_mono=["ui-monospace", "monospace"], radius_size="sm"
    )
    page.queue(api_open=False, max_size=256)
    _, local, shared = page.launch(
        server_name=host,
        server_port=port,
        share=share,
        prevent_thread_lock=True,
        quiet=True,
        show_error=False,
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        max_file_size=MOST_UPLOAD,
        max_threads=128,
        state_session_capacity=256,
        theme=theme,
        css=PAGE_STYLE,
        head=PAGE_SCRIPT,
        app_kwargs={"middleware": [Middleware(Doors, folder=folder)]},
    )
    try:
        yield shared or local
    finally:
        page.close(verbose=False)
