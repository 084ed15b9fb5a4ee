"""`POST /v1/chat/completions`: from a request to its answer, whole or as a stream.

Whoever goes away gives up the question, and its place in the queue is free.
"""

from __future__ import annotations

import asyncio
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Literal, TypeAlias

from seal.pipeline.answer import Answer
from seal.pipeline.ask_queue import AskQueue, QueueFullError
from seal.pipeline.ask_ticket import AskTicket
from seal.pipeline.events import Event, OnEvent
from seal.serving.body import ClientGoneError, Held, Receive, Send, read_body
from seal.serving.chat_reply import ChatReply, as_json, server_sent
from seal.serving.chat_request import ChatRequest, read_chat
from seal.serving.config import ServeConfig
from seal.serving.errors import RequestError, bad
from seal.serving.found import told_event
from seal.serving.json_body import read_json
from seal.serving.metrics import Metrics
from seal.serving.sending import Reply, Stream, send_reply
from seal.text.quote import quoted

ALIVE_SECONDS = 15.0  # between signs of life in a stream
_ALIVE = b": waiting\n\n"
Happened: TypeAlias = Event | Literal["done", "stop"]


class ChatEndpoint:
    """Serves one request at a time for each that calls it."""

    def __init__(
        self,
        queue: AskQueue,
        config: ServeConfig,
        metrics: Metrics,
        held: Held,
        readers: ThreadPoolExecutor,
    ) -> None:
        self.queue, self.config, self.metrics, self.held = queue, config, metrics, held
        self._readers = readers
        self.stopping = False  # no new question is taken
        self._open: set[Callable[[Happened], None]] = set()

    def give_up(self) -> None:
        """End the requests that are open, which are told that the server is stopping."""
        for tell in list(self._open):
            tell("stop")

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """
        Raises:
            RequestError: what is wrong, as long as nothing was sent.
            ClientGoneError: nobody waits any more.
        """
        if self.stopping:
            raise _stopping()
        started = time.perf_counter()
        length = _check_head(scope)
        body = await self._in_time(read_body(receive, length, self.config.max_body, self.held), 408)
        size = len(body)
        self.metrics.held.set(self.held.now)
        try:
            request = await self._read(body)
            body.clear()
            await self._answer(request, receive, send, started)
        finally:
            self.held.give(size)
            self.metrics.held.set(self.held.now)

    async def _in_time(self, work: Any, status: int) -> Any:
        try:
            return await asyncio.wait_for(work, self.config.timeout)
        except asyncio.TimeoutError:
            raise RequestError(
                status,
                f"the request did not come in {self.config.timeout:g} s",
                code="timeout",
                close=True,
            ) from None

    async def _read(self, body: bytearray) -> ChatRequest:
        def read() -> ChatRequest:
            return read_chat(read_json(body), self.config)

        return await asyncio.get_running_loop().run_in_executor(self._readers, read)

    def _submit(self, request: ChatRequest, on_event: OnEvent | None) -> AskTicket[Answer]:
        try:
            return self.queue.submit(request.question, on_event=on_event)
        except QueueFullError as error:
            raise RequestError(
                429, f"{error}", code="server_busy", headers={"retry-after": "2"}
            ) from None
        except ValueError as error:
            raise bad(str(error), "messages") from None
        except RuntimeError:
            raise _broken() if self.queue.broken else _stopping() from None

    async def _answer(
        self, request: ChatRequest, receive: Receive, send: Send, started: float
    ) -> None:
        loop = asyncio.get_running_loop()
        happened: asyncio.Queue[Happened] = asyncio.Queue()

        def tell(event: Happened) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody is there to be told
                loop.call_soon_threadsafe(happened.put_nowait, event)

        on_event = tell if request.stream else None
        ticket = await loop.run_in_executor(self._readers, lambda: self._submit(request, on_event))
        ticket.when_done(lambda _: tell("done"))
        reply, stream = ChatReply(self.config.model_name, request), Stream(send)
        gone = asyncio.ensure_future(_gone(receive))
        self._open.add(tell)
        try:
            while True:
                left = started + self.config.timeout - time.perf_counter()
                event = await self._next(happened, gone, stream, left)
                if event == "stop":
                    raise _stopping()
                if event == "done":
                    break
                if not stream.begun:
                    await stream.write(reply.begin())
                await stream.write(reply.event(told_event(event)))
            answer = _outcome(ticket)
            self.metrics.answered(answer, time.perf_counter() - started)
            if not request.stream:
                await send_reply(send, Reply(200, as_json(reply.whole(answer))))
                return
            if not stream.begun:
                await stream.write(reply.begin())
            for piece in reply.end(answer):
                await stream.write(piece)
            await stream.end()
        except RequestError as error:
            if not stream.begun:
                raise
            await stream.write(server_sent(error.body()))
            await stream.end()
        finally:
            self._open.discard(tell)
            gone.cancel()
            if ticket.cancel():
                self.metrics.cancelled.inc()

    async def _next(
        self,
        happened: asyncio.Queue[Happened],
        gone: asyncio.Future[Any],
        stream: Stream,
        left: float,
    ) -> Happened:
        """What happens next.

        Raises:
            ClientGoneError: nobody waits any more.
            RequestError: there is no more time.
        """
        coming = asyncio.ensure_future(happened.get())
        try:
            while left > 0:
                for_one = min(left, ALIVE_SECONDS)
                done, _ = await asyncio.wait(
                    {coming, gone}, timeout=for_one, return_when=asyncio.FIRST_COMPLETED
                )
                if coming in done:
                    return coming.result()
                if gone in done:
                    raise ClientGoneError
                left -= for_one
                if stream.begun:
                    await stream.write(_ALIVE)
        finally:
            coming.cancel()
        raise RequestError(
            504,
            f"there was no answer in {self.config.timeout:g} s, and the question is given up",
            code="timeout",
        )


def _outcome(ticket: AskTicket[Answer]) -> Answer:
    try:
        return ticket.result(0)
    except ValueError as error:  # a damaged picture, a question that is too long
        raise bad(str(error), "messages") from None
    except CancelledError:
        raise _stopping() from None
    except Exception as error:
        traceback.print_exception(error, file=sys.stderr)
        raise RequestError(500, f"{type(error).__name__}: {error}") from None


def _check_head(scope: dict[str, Any]) -> int | None:
    """The length of the body, if the head says it.

    Raises:
        RequestError: the body is no JSON as its head says.
    """
    heads = dict(scope["headers"])
    kind = heads.get(b"content-type", b"").decode("latin-1")
    if kind.partition(";")[0].strip().lower() != "application/json":
        raise RequestError(
            415, f"the body is JSON: send Content-Type: application/json, not {quoted(kind)}"
        )
    if heads.get(b"content-encoding", b"identity").strip().lower() not in (b"", b"identity"):
        raise RequestError(415, "the body is not compressed: leave out Content-Encoding")
    length = heads.get(b"content-length", b"").strip()
    return int(length) if length.isdigit() else None


async def _gone(receive: Receive) -> None:
    """Returns when the client has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _stopping() -> RequestError:
    return RequestError(
        503, "the server is stopping: ask another, or come again", code="stopping",
        headers={"retry-after": "5"}, close=True,
    )  # fmt: skip


def _broken() -> RequestError:
    return RequestError(503, "the server has broken down: it must be started again", code="broken")
