"""An HTTP server on this machine that misbehaves on demand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Page:
    """What stands at one path, and how it is served."""

    body: bytes = b""
    etag: str | None = '"one"'
    ranges: bool = True  # False: every answer is the whole file
    cut: list[int] = field(default_factory=list)  # bytes after which a connection is dropped
    statuses: list[int] = field(default_factory=list)  # answered first, one a request
    redirect: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


class Loopback:
    """Pages by path, and the Range header of every request in order."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.pages: dict[str, Page] = {}
        self.asked: list[tuple[str, str | None]] = []

    def url(self, path: str) -> str:
        return f"{self.address}{path}"

    def add(self, path: str, body: bytes = b"", **how: object) -> Page:
        self.pages[path] = Page(body, **how)  # type: ignore[arg-type]
        return self.pages[path]


@contextmanager
def loopback() -> Iterator[Loopback]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append((self.path, self.headers.get("Range")))
            page = server.pages.get(self.path)
            if page is None:
                self.send_error(404)
            elif page.statuses:
                self.send_response(page.statuses.pop(0))
                self._finish(page, b"")
            elif page.redirect is not None:
                self.send_response(302)
                self.send_header("Location", page.redirect)
                self._finish(page, b"")
            else:
                self._send(page)

        def _send(self, page: Page) -> None:
            first, body = 0, page.body
            asked = self.headers.get("Range")
            same = self.headers.get("If-Range") in (None, page.etag)
            if asked is not None and page.ranges and same:
                first = int(asked.removeprefix("bytes=").removesuffix("-"))
                if first >= len(body):
                    self.send_response(416)
                    self._finish(page, b"")
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
            else:
                self.send_response(200)
            self._finish(page, body[first:])

        def _finish(self, page: Page, body: bytes) -> None:
            if page.etag is not None:
                self.send_header("ETag", page.etag)
            for name, value in page.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if body and page.cut:
                self.wfile.write(body[: page.cut.pop(0)])
                self.close_connection = True
                return
            self.wfile.write(body)

        def handle_one_request(self) -> None:
            with suppress(ConnectionError):  # a client that stops reading is a case like others
                super().handle_one_request()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http_server:
        server = Loopback(f"http://127.0.0.1:{http_server.server_port}")
        threading.Thread(target=http_server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield server
        finally:
            http_server.shutdown()
