"""The server as an ASGI application: paths, keys, errors, and what is counted of them."""

from __future__ import annotations

import hmac
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from seal.pipeline import Seal
from seal.serving.body import ClientGoneError, Held, Receive, Send
from seal.serving.chat import ChatEndpoint
from seal.serving.chat_reply import as_json, model_entry
from seal.serving.config import ServeConfig
from seal.serving.errors import RequestError
from seal.serving.metrics import CONTENT_TYPE, Metrics
from seal.serving.sending import Reply, send_reply
from seal.text.quote import quoted

_READERS = 4  # threads that read bodies: JSON, base64, headers of pictures
CHAT, MODELS, HEALTH, METRICS = "/v1/chat/completions", "/v1/models", "/healthz", "/metrics"
_METHODS = {CHAT: "POST", MODELS: "GET", HEALTH: "GET", METRICS: "GET"}


class Application:
    """Answers for one `Seal`."""

    def __init__(self, seal: Seal, config: ServeConfig | None = None) -> None:
        self.config = config or ServeConfig()
        self.created = int(time.time())
        self.metrics: Metrics
        self.queue = seal.queue(
            max_waiting=self.config.max_waiting,
            concurrency=self.config.max_questions,
            on_batch=lambda kind, size: self.metrics.batch(kind, size),
        )
        self.metrics = Metrics(self.queue)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="serve-read")
        self.chat = ChatEndpoint(
            self.queue, self.config, self.metrics, Held(self.config.max_held), self._readers
        )

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)
        else:  # a websocket
            await send({"type": "websocket.close", "code": 1008})

    def close(self) -> None:
        """Give up what is open, and end the queue's thread."""
        self.queue.close(drain=False)
        self._readers.shutdown(wait=False, cancel_futures=True)

    async def _serve(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        path = _known(scope["path"])
        status = 0

        async def counted(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with self.metrics.in_flight.track_inprogress():
            try:
                try:
                    await self._route(scope, receive, counted)
                except RequestError as error:
                    await send_reply(counted, _refusal(error), head=scope["method"] == "HEAD")
            except ClientGoneError:
                status = status or 499  # as others count who went away
            except Exception:
                traceback.print_exc(file=sys.stderr)
                if not status:
                    failed = RequestError(500, "the server failed at this request; see its log")
                    await send_reply(counted, _refusal(failed))
        self.metrics.requests.labels(path, status).inc()

    async def _route(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        known = _known(path)
        if known == "other":
            raise RequestError(404, f"there is no {quoted(path)} here: {', '.join(_METHODS)} are")
        allowed = _METHODS[known]
        if method != allowed and not (method == "HEAD" and allowed == "GET"):
            raise RequestError(
                405, f"{known} takes {allowed}, not {quoted(method)}", headers={"allow": allowed}
            )
        if known in (CHAT, MODELS):
            self._check_key(scope)
        if known == CHAT:
            await self.chat(scope, receive, send)
            return
        answer: Callable[[str], Reply] = {
            MODELS: self._models, HEALTH: self._health, METRICS: self._metrics,
        }[known]  # fmt: skip
        await send_reply(send, answer(path), head=method == "HEAD")

    def _check_key(self, scope: dict[str, Any]) -> None:
        if self.config.api_key is None:
            return
        given = dict(scope["headers"]).get(b"authorization", b"")
        kind, _, key = given.partition(b" ")
        wanted = self.config.api_key.encode()
        if kind.lower() != b"bearer" or not hmac.compare_digest(key.strip(), wanted):
            raise RequestError(
                401,
                "this server wants its API key: send the head Authorization: Bearer KEY",
                code="invalid_api_key",
                headers={"www-authenticate": "Bearer"},
            )

    def _models(self, path: str) -> Reply:
        entry = model_entry(self.config.model_name, self.created)
        name = path[len(MODELS) + 1 :]
        if not name:
            return Reply(200, as_json({"object": "list", "data": [entry]}))
        if name != self.config.model_name:
            raise RequestError(
                404,
                f"there is no model {quoted(name)} here: this server's is "
                f"{quoted(self.config.model_name)}",
                param="model",
                code="model_not_found",
            )
        return Reply(200, as_json(entry))

    def _health(self, path: str) -> Reply:
        if self.queue.broken:
            return Reply(503, as_json({"status": "broken"}))
        if self.chat.stopping:
            return Reply(503, as_json({"status": "stopping"}))
        return Reply(200, as_json({"status": "ok"}))

    def _metrics(self, path: str) -> Reply:
        return Reply(200, self.metrics.text(), {"content-type": CONTENT_TYPE})


def _known(path: str) -> str:
    if path.startswith(MODELS + "/") and len(path) > len(MODELS) + 1:
        return MODELS
    return path if path in _METHODS else "other"


def _refusal(error: RequestError) -> Reply:
    return Reply(error.status, as_json(error.body()), error.headers)


async def _lifespan(receive: Receive, send: Callable[[Any], Awaitable[None]]) -> None:
    for stage in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{stage}.complete"})
