"""Any OpenAI-compatible endpoint: many requests in flight, repeated on faults, answers cached."""

from __future__ import annotations

import asyncio
import email.utils
import json
import random
import time
from collections.abc import Sequence
from typing import Any

import openai
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletion

from seal.building.language.cache import AnswerCache, answer_key
from seal.building.language.messages import Messages, chat_messages
from seal.building.language.unwritten_records import Check, Prompt
from seal.building.language.usage import Usage
from seal.failure import FailedError

_LONGEST_WAIT = 60.0  # seconds of back-off
_LONGEST_RETRY_AFTER = 600.0  # seconds; a server that asks for more is asked again then
_FATAL = (401, 403, 404)  # no prompt would fare better
_WORTH_REPEATING = (408, 409, 429)  # and everything from 500


class FaultError(Exception):
    """A request that brought no answer."""

    def __init__(self, text: str, *, repeat: bool = True, wait: float | None = None) -> None:
        super().__init__(text)
        self.repeat = repeat  # the same request may succeed
        self.wait = wait  # seconds that the server asked for


class EndpointWriter:
    """Asks through the official client; every answer is in the cache as soon as it is here."""

    def __init__(
        self,
        model: str,
        cache: AnswerCache,
        *,
        key: str,
        key_name: str,
        base_url: str | None,
        temperature: float | None,
        max_tokens: int,
        concurrency: int,
        attempts: int,
        timeout: float,
        backoff: float,
        prices: tuple[float | None, float | None] = (None, None),
    ) -> None:
        """`key` may be empty for a server that asks for none; `key_name` is its variable."""
        self.model = model
        self.cache = cache
        self.base_url = base_url
        self.temperature = temperature
        self.max_tokens = max_tokens
        self.concurrency = concurrency
        self.attempts = attempts
        self.timeout = timeout
        self.backoff = backoff
        self.prices = prices
        self.usage = Usage()
        self._key = key
        self._key_name = key_name
        self._paused_until = 0.0  # by the monotonic clock; a server asked all of us to wait

    def __repr__(self) -> str:
        return f"EndpointWriter(model={self.model!r}, base_url={self.base_url!r})"

    def settings(self) -> dict[str, Any]:
        return {
            "kind": "openai",
            "model": self.model,
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
        }

    def report(self) -> dict[str, Any]:
        return self.usage.report(*self.prices)

    def write(self, prompts: Sequence[Prompt], check: Check) -> list[str | None]:
        """See `LanguageModel`.

        Raises:
            ValueError: the endpoint refuses the key, the model or the address.
            RuntimeError: more than half of the prompts that were sent met faults alone.
        """
        with self.cache:
            return asyncio.run(self._write(prompts, check))

    async def _write(self, prompts: Sequence[Prompt], check: Check) -> list[str | None]:
        # A client belongs to the event loop it was made in.
        async with AsyncOpenAI(
            api_key=self._key or "none", base_url=self.base_url, max_retries=0
        ) as client:
            call = _Call(self, client, check)
            answers = await asyncio.gather(*(call.answer(i, p) for i, p in enumerate(prompts)))
        if 2 * len(call.faulty) > len(call.sent):
            raise FailedError(
                f"{len(call.faulty)} of {len(call.sent)} prompts got no answer from "
                f"{self._where()}, the last: {call.last_fault}; the same command goes on from here"
            )
        self.usage.no_answer += answers.count(None)
        return list(answers)

    async def request(self, client: AsyncOpenAI, messages: Messages) -> ChatCompletion:
        """One request, sent once.

        Raises:
            FaultError: it brought no answer.
            ValueError: nor will any other.
        """
        await asyncio.sleep(max(0.0, self._paused_until - time.monotonic()))
        # OpenAI's newer models know the one name, most other servers the other alone.
        limit = "max_tokens" if self.base_url else "max_completion_tokens"
        options: dict[str, Any] = {limit: self.max_tokens}
        if self.temperature is not None:
            options["temperature"] = self.temperature
        self.usage.requests += 1
        try:
            completion: Any = await asyncio.wait_for(
                client.chat.completions.create(
                    model=self.model,
                    messages=messages,  # type: ignore[arg-type]
                    timeout=self.timeout,
                    **options,
                ),
                self.timeout,  # the client's own starts anew with every byte
            )
        except (asyncio.TimeoutError, openai.APITimeoutError):
            raise FaultError(f"no answer within {self.timeout:g} s") from None
        except openai.APIStatusError as error:
            raise self._refused(error) from None
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            raise FaultError(self._clean(f"{type(cause).__name__}: {cause}")) from None
        except (openai.APIError, ValueError, TypeError, AttributeError) as error:
            # What is not JSON, or not of the right form, fails in the client in many ways.
            raise FaultError(self._clean(f"malformed response: {error}")) from None
        try:
            if not isinstance(completion.choices[0].message.content, str):
                raise TypeError("the answer is no text")
        except (AttributeError, IndexError, TypeError) as error:
            raise FaultError(self._clean(f"malformed response: {error}")) from None
        return completion

    def pause(self, seconds: float) -> None:
        """Hold back every request."""
        self._paused_until = max(self._paused_until, time.monotonic() + seconds)

    def count(self, completion: ChatCompletion) -> None:
        usage = completion.usage
        self.usage.prompt_tokens += (usage and usage.prompt_tokens) or 0
        self.usage.completion_tokens += (usage and usage.completion_tokens) or 0

    def _refused(self, error: openai.APIStatusError) -> Exception:
        status, text = error.status_code, self._clean(_server_text(error))
        if status in _FATAL or error.code == "insufficient_quota":
            return ValueError(
                f"{self._where()} refuses (HTTP {status}): {text}; check language.model, "
                f"language.base_url and the key in the environment variable {self._key_name}"
            )
        repeat = status in _WORTH_REPEATING or status >= 500
        wait = _retry_after(error.response.headers.get("retry-after"))
        return FaultError(f"HTTP {status}: {text}", repeat=repeat, wait=wait)

    def _where(self) -> str:
        return f"model {self.model!r} at {self.base_url or 'api.openai.com'}"

    def _clean(self, text: str) -> str:
        """One line without the key: servers like to repeat it, in part or whole."""
        if self._key:
            text = text.replace(self._key, "[key]")
        words = ("[key]" if _looks_like_key(w, self._key) else w for w in text.split())
        return " ".join(words)[:300]


class _Call:
    """The prompts of one `write`, side by side."""

    def __init__(self, writer: EndpointWriter, client: AsyncOpenAI, check: Check) -> None:
        self.writer = writer
        self.client = client
        self.check = check
        self.sent: set[int] = set()  # places of prompts that were sent
        self.faulty: set[int] = set()  # and of those that met nothing but faults
        self.last_fault = ""
        self._slots = asyncio.Semaphore(writer.concurrency)
        self._locks: dict[str, asyncio.Lock] = {}

    async def answer(self, place: int, prompt: Prompt) -> str | None:
        key = answer_key(prompt, self.writer.settings())
        # A prompt that occurs twice waits for its first answer.
        async with self._locks.setdefault(key, asyncio.Lock()):
            return await self._answer(place, prompt, key)

    async def _answer(self, place: int, prompt: Prompt, key: str) -> str | None:
        writer = self.writer
        refused: tuple[str, str] | None = None
        attempt = 0  # answers that were of no use: a kept one is not asked for again
        faults = 0
        while attempt + faults < writer.attempts:
            answer = writer.cache.get(key, attempt)
            if answer is not None:
                writer.usage.from_cache += 1
            else:
                try:
                    answer = await self._ask(place, chat_messages(prompt, refused), faults)
                except FaultError as fault:
                    self.last_fault = str(fault)
                    faults += 1
                    if attempt + faults >= writer.attempts or not fault.repeat:
                        break
                    await self._wait(fault, faults)
                    continue
                answer = writer.cache.put(key, attempt, writer.model, answer)
            try:
                if not answer:
                    raise ValueError(f"it was empty or longer than {writer.max_tokens} tokens")
                self.check(place, answer)
            except ValueError as error:
                refused = (answer, str(error))
                attempt += 1
                continue
            return answer
        if attempt == 0:
            self.faulty.add(place)
        return None

    async def _ask(self, place: int, messages: Messages, faults: int) -> str:
        writer = self.writer
        async with self._slots:
            again = place in self.sent
            self.sent.add(place)
            writer.usage.repeated += again
            completion = await writer.request(self.client, messages)
        writer.count(completion)
        choice = completion.choices[0]
        # Half a sentence may look like a whole one.
        return "" if choice.finish_reason == "length" else (choice.message.content or "").strip()

    async def _wait(self, fault: FaultError, faults: int) -> None:
        if fault.wait is not None:
            self.writer.pause(fault.wait)
            return
        seconds = min(self.writer.backoff * 2 ** (faults - 1), _LONGEST_WAIT)
        # Jitter: those that failed together must not come back together.
        await asyncio.sleep(seconds * random.uniform(0.5, 1.5))


def _server_text(error: openai.APIStatusError) -> str:
    """What the server says in its body, if it says anything."""
    body = error.body
    if isinstance(body, dict):
        inner = body.get("error", body)
        for name in ("message", "detail"):
            if isinstance(inner, dict) and inner.get(name):
                return str(inner[name])
        return json.dumps(body)
    return str(body or error.message)


def _looks_like_key(word: str, key: str) -> bool:
    """A key shortened to its ends, or one of the common form."""
    bare = word.strip("\"'.,:;()[]{}")
    shortened = "*" in bare and bool(key) and (bare[:3] == key[:3] or bare[-4:] == key[-4:])
    return shortened or bare.startswith(("sk-", "sk_"))


def _retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header: a number or a date."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError):
            return None
    return min(seconds, _LONGEST_RETRY_AFTER) if seconds >= 0 else None
