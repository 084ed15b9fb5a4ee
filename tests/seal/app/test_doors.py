"""What the page's server refuses: everything but the page, and any file or URL that is named."""

from __future__ import annotations

import http.client
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

# One page is started for all of them, on one worker.
pytestmark = pytest.mark.xdist_group("app")

SHUT = (
    "/gradio_api/info",
    "/gradio_api/openapi.json",
    "/gradio_api/proxy=http://127.0.0.1:9/secret",
    "/proxy=http://127.0.0.1:9/secret",
    "/gradio_api/file=/etc/passwd",
    "/gradio_api/file=../../../../etc/passwd",
    "/gradio_api/file=http://127.0.0.1:9/x.png",
    "/file=/etc/passwd",
    "/gradio_api/file//etc/passwd",
    "/gradio_api/call/ask",
    "/gradio_api/runs",
    "/gradio_api/vibe-code",
    "/monitoring",
    "/gradio_api/deep_link",
    "/docs",
    "/assets/../../../etc/passwd",
)


def send(address: str, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
    headers = {"content-type": "application/json"} if body else {}
    connection.request(method, path, body or None, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


@pytest.mark.parametrize("path", SHUT)
def test_nothing_but_the_page_is_served(served: Any, path: str) -> None:
    status, content = send(served.address, "GET", path)
    assert status == 404 and b"root:" not in content
    assert "nothing at" in json.loads(content)["detail"]


def test_a_file_of_this_machine_is_not_read_through_its_name(served: Any, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"not for the page")
    for path in (str(secret), f"{served.folder}/../{secret}", "/etc/passwd"):
        status, content = send(served.address, "POST", "/gradio_api/queue/join", upload(path))
        assert status == 400 and b"dropped on the page" in content
    assert secret.exists()


def test_no_address_is_fetched(served: Any) -> None:
    asked: list[str] = []

    class Target(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    target = HTTPServer(("127.0.0.1", 0), Target)
    threading.Thread(target=target.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{target.server_address[1]}/x.png"
        for path, extra in ((url, {}), (None, {"url": url}), ("/etc/passwd", {"url": url})):
            body = upload(path, **extra)
            status, _ = send(served.address, "POST", "/gradio_api/queue/join", body)
            assert status == 400
    finally:
        target.shutdown()
        target.server_close()
    assert asked == []


@pytest.mark.parametrize("body", [b"{", b"[" * 100_000, b"\xff\xfe", b"null", b'"text"'])
def test_what_is_no_message_is_refused_and_the_page_goes_on(served: Any, body: bytes) -> None:
    status, _ = send(served.address, "POST", "/gradio_api/queue/join", body)
    assert 400 <= status < 500
    assert send(served.address, "GET", "/config")[0] == 200


def test_a_message_of_megabytes_is_refused(served: Any) -> None:
    status, _ = send(served.address, "POST", "/gradio_api/queue/join", b'"' + b"x" * 3_000_000)
    assert status == 413


def upload(path: str | None, **extra: str) -> bytes:
    """What the page would send of an uploaded file."""
    file = {"path": path, "meta": {"_type": "gradio.FileData"}, **extra}
    data = {"data": [file, None], "fn_index": 0, "session_hash": "somebody", "trigger_id": 1}
    return json.dumps(data).encode()
