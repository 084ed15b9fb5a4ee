"""One OpenAI-compatible server: many requests in flight, repeated on faults, no key ever told."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

import openai
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletion

from seal.endpoint.address import is_openai
from seal.endpoint.faults import (
    FaultError,
    RefusedError,
    back_off,
    clean,
    retry_after,
    server_text,
)
from seal.endpoint.usage import Usage

_FATAL = (401, 403, 404)  # no prompt would fare better
_WORTH_REPEATING = (408, 409, 429)  # and everything from 500

T = TypeVar("T")


class Endpoint:
    """A model at an address, and how patiently it is asked."""

    def __init__(
        self,
        model: str,
        *,
        key: str,
        key_name: str,
        base_url: str | None,
        concurrency: int,
        attempts: int,
        timeout: float,
        backoff: float,
        advice: str,
    ) -> None:
        """`model` may be empty as long as no chat is held. `key` may be empty for a server that
        asks for none; `key_name` is its variable.

        `base_url=None` is OpenAI's own; `advice`: what to check if the server refuses everything.
        """
        self.model = model
        self.base_url = base_url
        self.concurrency = concurrency
        self.attempts = attempts
        self.timeout = timeout
        self.backoff = backoff
        self.advice = advice
        self.usage = Usage()
        self._key = key
        self._key_name = key_name
        self._paused_until = 0.0  # by the monotonic clock; a server asked all of us to wait

    def __repr__(self) -> str:
        return f"Endpoint(model={self.model!r}, base_url={self.base_url!r})"

    @property
    def where(self) -> str:
        address = self.base_url or "api.openai.com"
        return f"model {self.model!r} at {address}" if self.model else address

    @property
    def limit_name(self) -> str:
        """The field that limits an answer's tokens."""
        # OpenAI's newer models know the one name, most other servers the other alone.
        return "max_completion_tokens" if is_openai(self.base_url) else "max_tokens"

    def run(self, work: Callable[[Session], Awaitable[T]]) -> T:
        """`work`'s result; also from within a running event loop, as in a notebook."""

        async def main() -> T:
            # A client belongs to the event loop it was made in.
            async with AsyncOpenAI(
                api_key=self._key or "none", base_url=self.base_url, max_retries=0
            ) as client:
                return await work(Session(self, client))

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(main())
        return _in_a_thread(lambda: asyncio.run(main()))

    async def request(self, client: AsyncOpenAI, body: dict[str, Any]) -> ChatCompletion:
        """One request, sent once. `body`: the request's fields, the model's name apart.

        Raises:
            FaultError: it brought no answer.
            RefusedError: nor will any other.
        """
        await asyncio.sleep(max(0.0, self._paused_until - time.monotonic()))
        self.usage.requests += 1
        completion = await self.call(
            client.chat.completions.create(model=self.model, timeout=self.timeout, **body)
        )
        try:
            if completion.choices[0].message is None:
                raise TypeError("there is no message")
        except (AttributeError, IndexError, TypeError) as error:
            # Some gateways tell errors of what is behind them with a status of 200.
            told = getattr(completion, "error", None) or error
            raise FaultError(self.clean(f"malformed response: {told}")) from None
        assert isinstance(completion, ChatCompletion)
        return completion

    async def call(self, sent: Awaitable[Any]) -> Any:
        """What a call of the official client brings, or our errors; see `request`."""
        try:
            # The client's own time limit starts anew with every byte.
            return await asyncio.wait_for(sent, self.timeout)
        except (asyncio.TimeoutError, openai.APITimeoutError):
            raise FaultError(f"no answer within {self.timeout:g} s") from None
        except openai.APIStatusError as error:
            raise self._refused(error) from None
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            raise FaultError(self.clean(f"{type(cause).__name__}: {cause}")) from None
        except (openai.APIError, ValueError, TypeError, AttributeError) as error:
            # What is not JSON, or not of the right form, fails in the client in many ways.
            raise FaultError(self.clean(f"malformed response: {error}")) from None

    def pause(self, seconds: float) -> None:
        """Hold back every request."""
        self._paused_until = max(self._paused_until, time.monotonic() + seconds)

    def count(self, completion: ChatCompletion) -> None:
        usage = completion.usage
        self.usage.prompt_tokens += (usage and usage.prompt_tokens) or 0
        self.usage.completion_tokens += (usage and usage.completion_tokens) or 0

    def clean(self, text: str) -> str:
        """One line without the key."""
        return clean(text, self._key)

    def _refused(self, error: openai.APIStatusError) -> Exception:
        status, text = error.status_code, self.clean(server_text(error))
        if status in _FATAL or error.code == "insufficient_quota":
            return RefusedError(
                f"{self.where} refuses (HTTP {status}): {text}; check {self.advice} "
                f"and the key in the environment variable {self._key_name}",
                status,
            )
        repeat = status in _WORTH_REPEATING or status >= 500
        wait = retry_after(error.response.headers.get("retry-after"))
        return FaultError(
            f"HTTP {status}: {text}", repeat=repeat, wait=wait, status=status, code=error.code
        )


class Session:
    """Requests of one event loop, no more at once than the endpoint's `concurrency`."""

    def __init__(self, endpoint: Endpoint, client: AsyncOpenAI) -> None:
        self.endpoint = endpoint
        self.client = client
        self._slots = asyncio.Semaphore(endpoint.concurrency)

    async def chat(
        self, body: Callable[[], dict[str, Any]], *, again: bool = False
    ) -> ChatCompletion:
        """One request, sent once, its body made when its turn comes, in a thread: pictures are
        large, and take time to encode.

        `again`: it was sent before. Raises as `Endpoint.request`.
        """
        async with self._slots:
            self.endpoint.usage.repeated += again
            return await self.endpoint.request(self.client, await asyncio.to_thread(body))

    async def chat_patiently(
        self,
        body: Callable[[], dict[str, Any]],
        read: Callable[[ChatCompletion], T],
        *,
        attempts: int | None = None,
    ) -> T:
        """What `read` makes of the first sound answer; it raises a FaultError for another.

        `attempts`: requests at most; None is the endpoint's. Raises the last fault; else as `chat`.
        """
        faults = 0
        while True:
            try:
                completion = await self.chat(body, again=faults > 0)
                answer = read(completion)
            except FaultError as fault:
                faults += 1
                if faults >= (attempts or self.endpoint.attempts) or not fault.repeat:
                    raise
                await self.wait(fault, faults)
                continue
            self.endpoint.count(completion)
            return answer

    async def wait(self, fault: FaultError, faults: int) -> None:
        """The time that the server asked for, of all; else a while, longer with every fault."""
        if fault.wait is not None:
            self.endpoint.pause(fault.wait)
            return
        await asyncio.sleep(back_off(self.endpoint.backoff, faults))


async def together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All results, in order. If one fails the others end before that is told."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _in_a_thread(work: Callable[[], T]) -> T:
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return done[0]
