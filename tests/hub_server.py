"""A hub on loopback with the addresses that huggingface_hub asks for; what it holds is a folder."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def ask_here(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, the hub is at `address`, and who writes there is logged in."""
    monkeypatch.setattr(constants, "ENDPOINT", address)
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "hf_writer")


@contextmanager
def serve_hub(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Serves `root`/owner/name; gives the address and the list of "METHOD path" asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def answer(self, body: bytes, status: int = 200, **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def say(self, content: object, status: int = 200) -> None:
            self.answer(json.dumps(content).encode(), status, Content_Type="application/json")

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            asked.append(f"{self.command} {path}")
            if path.startswith("/api/models/"):
                folder = root.joinpath(*path.split("/")[3:5])
                if not folder.is_dir():
                    return self.say({"error": "Repository not found"}, 404)
                files = sorted(folder.iterdir())
                if "/tree/" in path and path.split("/")[7:]:  # a folder inside; there are none
                    return self.answer(b"", 404, X_Error_Code="EntryNotFound")
                if "/tree/" in path:
                    entries = [
                        {"type": "file", "path": f.name, "size": f.stat().st_size, "oid": "0" * 40}
                        for f in files
                    ]
                    return self.say(entries)
                names = [{"rfilename": file.name} for file in files]
                return self.say({"id": path[12:], "sha": COMMIT, "siblings": names})
            if path.startswith("/api/"):
                return self.say({"error": "Not found"}, 404)
            owner, name, _, _, file = path.strip("/").split("/", 4)
            if owner == "gated":  # terms that nobody has accepted
                return self.answer(b"", 403, X_Error_Code="GatedRepo")
            found = root / owner / name / file
            if not found.is_file():
                return self.answer(b"", 404, X_Error_Code="EntryNotFound")
            body = found.read_bytes()
            etag = hashlib.sha1(body).hexdigest()
            return self.answer(body, ETag=f'"{etag}"', X_Repo_Commit=COMMIT)

        def do_POST(self) -> None:
            asked.append(f"POST {self.path}")
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/api/repos/create":
                if self.headers.get("Authorization") != "Bearer hf_writer":
                    return self.say({"error": "Unauthorized"}, 401)
                told = json.loads(body)
                (root / told.get("organization", "me") / told["name"]).mkdir(parents=True)
                owner = told.get("organization", "me")
                url = f"http://{self.headers['Host']}/{owner}/{told['name']}"
                return self.say({"url": url, "name": f"{owner}/{told['name']}"})
            if self.path == "/api/validate-yaml":  # of a model card
                return self.say({"errors": [], "warnings": []})
            folder = root.joinpath(*self.path.split("/")[3:5])
            if "/preupload/" in self.path:
                files = [
                    {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for file in json.loads(body)["files"]
                ]
                return self.say({"files": files})
            for line in map(json.loads, body.splitlines()):  # the commit
                if line["key"] == "file":
                    content = base64.b64decode(line["value"]["content"])
                    (folder / line["value"]["path"]).write_bytes(content)
            address = f"http://{self.headers['Host']}/{folder.parent.name}/{folder.name}"
            return self.say(
                {"commitUrl": f"{address}/commit/{COMMIT}", "commitOid": COMMIT, "success": True}
            )

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
