"""A chat endpoint on loopback that fails as it is told, and remembers what it was shown."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

Say = Callable[[str], str]  # the user's text to the answer
Fault = Callable[[str, int], str | None]  # the user's text, how often it came before
First = Callable[[str], dict[str, float]]  # the user's text to log p of the likeliest first tokens


class ChatServer:
    """Serves within a `with` block, at `url`.

    fault: `429 502`: Retry-After 502 (seconds) with a 429; `500`, any status; `hang`; `drop`: the
    connection is closed; `truncated`, `not json`, `html`, `no choices`, `no content`, `cut` (the
    answer was longer than allowed); None: an answer.
    vision: `sees`: a picture is 5 tokens; `drops` pictures without a word; any other text: what it
    says with status 500 to one that shows it a picture.
    first: None: logprobs are not known here. models: the list of models; None: there is none.
    usage: whether tokens are told.
    """

    def __init__(
        self,
        say: Say = str,
        fault: Fault = lambda text, times: None,
        delay: float = 0.0,
        *,
        vision: str = "sees",
        first: First | None = None,
        models: object = ({"id": "tiny"},),
        usage: bool = True,
    ) -> None:
        self.say, self.fault, self.delay = say, fault, delay
        self.vision, self.first, self.models, self.usage = vision, first, models, usage
        self.pictures: list[bytes] = []  # files, in order of arrival
        self.asked: list[str] = []  # users' texts, in order of arrival
        self.answered: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.keys: set[str] = set()  # Authorization headers
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def __enter__(self) -> ChatServer:
        chat = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments: object) -> None:
                pass

            def do_POST(self) -> None:
                chat._post(self)

            def do_GET(self) -> None:
                chat._get(self)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()

    def _get(self, handler: BaseHTTPRequestHandler) -> None:
        self.keys.add(handler.headers.get("Authorization", ""))
        if isinstance(self.models, bytes):
            self._send(handler, 200, "text/html", self.models, {})
        elif isinstance(self.models, int):
            self._send(handler, self.models, "application/json", b"{}", {})
        else:
            content = json.dumps({"object": "list", "data": self.models}).encode()
            known = handler.path == "/v1/models" and self.models is not None
            self._send(handler, 200 if known else 404, "application/json", content, {})

    def _post(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        text, pictures = _texts_and_pictures(body["messages"][-1]["content"])
        with self._lock:
            times = self.asked.count(text)
            self.asked.append(text)
            self.pictures += pictures
            self.bodies.append(body)
            self.keys.add(handler.headers.get("Authorization", ""))
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        time.sleep(self.delay)
        try:
            self._reply(handler, body, text, len(pictures), self.fault(text, times))
        except OSError:
            pass  # the client is gone
        finally:
            with self._lock:
                self._at_once -= 1

    def _reply(
        self,
        handler: BaseHTTPRequestHandler,
        body: dict[str, Any],
        text: str,
        pictures: int,
        fault: str | None,
    ) -> None:
        kind = "application/json"
        if fault == "hang":
            self._closed.wait(30)
            fault = "drop"
        if fault == "drop":
            handler.close_connection = True
            handler.connection.close()
            return
        if pictures and self.vision not in ("sees", "drops"):
            fault = f"500 {self.vision}"
        if fault and fault[:3].isdigit():
            status, _, rest = fault.partition(" ")
            # Some servers repeat the key they were given.
            message = f"no luck with {handler.headers.get('Authorization')} {rest}"
            content = json.dumps({"error": {"message": message, "code": rest or None}})
            headers = {"Retry-After": rest} if status == "429" and rest.isdigit() else {}
            self._send(handler, int(status), kind, content.encode(), headers)
            return
        choice = {
            "index": 0,
            "finish_reason": "length" if fault == "cut" else "stop",
            "message": {
                "role": "assistant",
                "content": None if fault == "no content" else self.say(text),
            },
        }
        if body.get("logprobs") and self.first is not None:
            choice["logprobs"] = _logprobs(self.first(text), body["top_logprobs"])
        seen = pictures if self.vision == "sees" else 0
        usage = {"prompt_tokens": 10 + 5 * seen, "completion_tokens": 2, "total_tokens": 12}
        content = json.dumps(
            {
                "id": "chat",
                "object": "chat.completion",
                "created": 0,
                "model": body["model"],
                "choices": [] if fault == "no choices" else [choice],
                "usage": usage if self.usage else None,
            }
        )
        if fault == "html":
            kind, content = "text/html", "<html>busy</html>"
        elif fault == "not json":
            content = content[: len(content) // 2]
        with self._lock:
            self.answered[text] += fault is None
        self._send(handler, 200, kind, content.encode(), {}, short=fault == "truncated")

    def _send(
        self,
        handler: BaseHTTPRequestHandler,
        status: int,
        kind: str,
        content: bytes,
        headers: dict[str, str],
        *,
        short: bool = False,
    ) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content[: len(content) // 2] if short else content)
        if short:
            handler.close_connection = True


def _texts_and_pictures(content: str | list[dict[str, Any]]) -> tuple[str, list[bytes]]:
    if isinstance(content, str):
        return content, []
    texts = [part["text"] for part in content if part["type"] == "text"]
    urls = [part["image_url"]["url"] for part in content if part["type"] == "image_url"]
    start = "data:image/png;base64,"
    assert all(url.startswith(start) for url in urls)
    return " ".join(texts), [base64.b64decode(url.removeprefix(start)) for url in urls]


def _logprobs(first: dict[str, float], most: int) -> dict[str, Any]:
    told = [
        {"token": token, "logprob": log_p, "bytes": list(token.encode())}
        for token, log_p in sorted(first.items(), key=lambda item: -item[1])
    ]
    return {"content": [{**told[0], "top_logprobs": told[:most]}]}
