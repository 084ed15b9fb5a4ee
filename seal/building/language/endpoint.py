"""Any OpenAI-compatible endpoint: refused answers are asked for again, usable ones cached."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from seal.building.language.answer_key import answer_key
from seal.building.language.messages import Messages, chat_messages
from seal.building.language.unwritten_records import Check, Prompt
from seal.endpoint.cache import AnswerCache
from seal.endpoint.client import Endpoint, Session, together
from seal.endpoint.faults import FaultError
from seal.failure import FailedError


class EndpointWriter:
    """Asks through the official client; every answer is in the cache as soon as it is here."""

    def __init__(
        self,
        endpoint: Endpoint,
        cache: AnswerCache,
        *,
        temperature: float | None,
        max_tokens: int,
        prices: tuple[float | None, float | None] = (None, None),
    ) -> None:
        self.endpoint = endpoint
        self.cache = cache
        self.temperature = temperature
        self.max_tokens = max_tokens
        self.prices = prices

    def __repr__(self) -> str:
        return f"EndpointWriter({self.endpoint!r})"

    def settings(self) -> dict[str, Any]:
        return {
            "kind": "openai",
            "model": self.endpoint.model,
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
        }

    def report(self) -> dict[str, Any]:
        return self.endpoint.usage.report(*self.prices)

    def write(self, prompts: Sequence[Prompt], check: Check) -> list[str | None]:
        """See `LanguageModel`.

        Raises:
            ValueError: the endpoint refuses the key, the model or the address.
            RuntimeError: more than half of the prompts that were sent met faults alone.
        """
        return self.endpoint.run(lambda session: self._write(session, prompts, check))

    async def _write(
        self, session: Session, prompts: Sequence[Prompt], check: Check
    ) -> list[str | None]:
        with self.cache:
            call = _Call(self, session, check)
            answers = await together(call.answer(i, p) for i, p in enumerate(prompts))
        if 2 * len(call.faulty) > len(call.sent):
            raise FailedError(
                f"{len(call.faulty)} of {len(call.sent)} prompts got no answer from "
                f"{self.endpoint.where}, the last: {call.last_fault}; the same command goes on "
                "from here"
            )
        self.endpoint.usage.no_answer += answers.count(None)
        return answers

    def body(self, messages: Messages) -> dict[str, Any]:
        """The fields of a request."""
        body: dict[str, Any] = {
            "messages": messages,
            self.endpoint.limit_name: self.max_tokens,
        }
        if self.temperature is not None:
            body["temperature"] = self.temperature
        return body


class _Call:
    """The prompts of one `write`, side by side."""

    def __init__(self, writer: EndpointWriter, session: Session, check: Check) -> None:
        self.writer = writer
        self.session = session
        self.check = check
        self.sent: set[int] = set()  # places of prompts that were sent
        self.faulty: set[int] = set()  # and of those that met nothing but faults
        self.last_fault = ""
        self._locks: dict[str, asyncio.Lock] = {}

    async def answer(self, place: int, prompt: Prompt) -> str | None:
        key = answer_key(prompt, self.writer.settings())
        # A prompt that occurs twice waits for its first answer.
        async with self._locks.setdefault(key, asyncio.Lock()):
            return await self._answer(place, prompt, key)

    async def _answer(self, place: int, prompt: Prompt, key: str) -> str | None:
        writer, endpoint = self.writer, self.writer.endpoint
        refused: tuple[str, str] | None = None
        attempt = 0  # answers that were of no use: a kept one is not asked for again
        faults = 0
        while attempt + faults < endpoint.attempts:
            answer = writer.cache.get(key, attempt)
            if answer is not None:
                endpoint.usage.from_cache += 1
            else:
                try:
                    answer = await self._ask(place, chat_messages(prompt, refused))
                except FaultError as fault:
                    self.last_fault = str(fault)
                    faults += 1
                    if attempt + faults >= endpoint.attempts or not fault.repeat:
                        break
                    await self.session.wait(fault, faults)
                    continue
                answer = writer.cache.put(key, attempt, endpoint.model, answer)
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

    async def _ask(self, place: int, messages: Messages) -> str:
        again = place in self.sent
        self.sent.add(place)
        completion = await self.session.chat(lambda: self.writer.body(messages), again=again)
        choice = completion.choices[0]
        if not isinstance(choice.message.content, str):
            raise FaultError("malformed response: the answer is no text")
        self.writer.endpoint.count(completion)
        # Half a sentence may look like a whole one.
        return "" if choice.finish_reason == "length" else choice.message.content.strip()
