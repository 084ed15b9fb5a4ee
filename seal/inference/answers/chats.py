"""Conversations with an endpoint: many in flight, answers kept, and what went wrong in one line."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from PIL.Image import Image

from seal.endpoint.cache import AnswerCache, content_key
from seal.endpoint.client import Endpoint, Session, together
from seal.endpoint.faults import FaultError
from seal.endpoint.replies import Reply
from seal.failure import FailedError
from seal.inference.answers.chat_pictures import ChatPictures, SentPicture
from seal.inference.answers.endpoint_config import EndpointConfig
from seal.inference.answers.layouts import user_turn
from seal.text.quote import quoted
from seal.working_memory import VisualWorkingMemory


class TooLongError(ValueError):
    """A prompt that the model cannot read at once."""


@dataclass(frozen=True, slots=True)
class Chat:
    """One user turn: texts and pictures in order."""

    question: str  # for errors
    parts: tuple[str | SentPicture, ...]

    @property
    def pictures(self) -> list[SentPicture]:
        return [part for part in self.parts if isinstance(part, SentPicture)]


@dataclass(frozen=True, slots=True)
class Answered:
    """A reply, and what was shown for it."""

    reply: Reply
    images: int
    pixels: int


class Chats:
    """Asks an endpoint, each prompt once in its life."""

    def __init__(self, endpoint: Endpoint, config: EndpointConfig, pictures: ChatPictures) -> None:
        self.endpoint = endpoint
        self.config = config
        self.pictures = pictures
        path = config.cache_path
        self._cache = None if path is None else AnswerCache(path, option="cache")

    def ask(
        self,
        memories: Sequence[VisualWorkingMemory],
        *,
        max_tokens: int,
        logprobs: bool = False,
        attempts: int | None = None,
    ) -> list[Answered]:
        """A reply to each memory; while some are in flight, the others' pictures take no room.

        Args:
            logprobs: with the likeliest first tokens.
            attempts: requests for one reply; None is the config's.

        Raises:
            TooLongError: more than the model reads at once.
            ValueError: the endpoint refuses the key, the model or a request.
            FailedError: faults alone, after all attempts.
        """
        fields: dict[str, Any] = {self.endpoint.limit_name: max_tokens}
        if self.config.temperature is not None:
            fields["temperature"] = self.config.temperature
        if logprobs:
            fields |= {"logprobs": True, "top_logprobs": self.config.top_logprobs}

        async def work(session: Session) -> list[Answered | FaultError]:
            locks: dict[str, asyncio.Lock] = {}
            under_way = asyncio.Semaphore(self.config.concurrency)

            async def one(memory: VisualWorkingMemory) -> Answered | FaultError:
                async with under_way:
                    chat = self._chat(memory)
                    key = self._key(chat, fields)
                    # A prompt that occurs twice waits for its first answer.
                    async with locks.setdefault(key, asyncio.Lock()):
                        reply = await self._answer(session, chat, key, fields, attempts)
                if isinstance(reply, FaultError):
                    return reply
                pictures = chat.pictures
                return Answered(reply, len(pictures), sum(picture.pixels for picture in pictures))

            with self._cache or nullcontext():
                return await together(map(one, memories))

        if not memories:
            return []
        answered = self.endpoint.run(work)
        faults = [answer for answer in answered if isinstance(answer, FaultError)]
        if faults:
            self.endpoint.usage.no_answer += len(faults)
            raise FailedError(
                f"{len(faults)} of {len(memories)} prompts got no answer from "
                f"{self.endpoint.where}, the last: {faults[-1]}; the same command goes on from here"
            )
        return [answer for answer in answered if isinstance(answer, Answered)]

    def _chat(self, memory: VisualWorkingMemory) -> Chat:
        parts = []
        for item in user_turn(memory, self.config.layout):
            image: Image | None = item.get("image")
            parts.append(item["text"] if image is None else self.pictures.prepare(image))
        return Chat(memory.question, tuple(parts))

    async def _answer(
        self,
        session: Session,
        chat: Chat,
        key: str,
        fields: dict[str, Any],
        attempts: int | None,
    ) -> Reply | FaultError:
        if self._cache is not None and (kept := self._cache.get(key)) is not None:
            self.endpoint.usage.from_cache += 1
            return Reply.from_json(kept)
        try:
            reply = await session.chat_patiently(
                lambda: self._body(chat, fields), Reply.of, attempts=attempts
            )
        except FaultError as fault:
            if (known := self._explained(fault, chat)) is not None:
                raise known from None
            return fault
        if "logprobs" in fields and reply.first is None:
            raise self._no_logprobs("it sends none")
        if self._cache is not None:
            kept = self._cache.put(key, 0, self.endpoint.model, reply.to_json())
            return Reply.from_json(kept)
        return reply

    def _key(self, chat: Chat, fields: dict[str, Any]) -> str:
        """Pictures go by their pixels."""
        parts = [[part.digest] if isinstance(part, SentPicture) else part for part in chat.parts]
        where = [self.endpoint.base_url, self.endpoint.model]
        return content_key([where, parts, fields, self.config.detail, self.config.extra])

    def _body(self, chat: Chat, fields: dict[str, Any]) -> dict[str, Any]:
        content = [self._part(part) for part in chat.parts]
        body = {"messages": [{"role": "user", "content": content}], **fields}
        return body | ({"extra_body": self.config.extra} if self.config.extra else {})

    def _part(self, part: str | SentPicture) -> dict[str, Any]:
        if isinstance(part, str):
            return {"type": "text", "text": part}
        url = {"url": self.pictures.url(part)}
        detail = {"detail": self.config.detail} if self.config.detail else {}
        return {"type": "image_url", "image_url": url | detail}

    def _explained(self, fault: FaultError, chat: Chat) -> ValueError | None:
        """What the server refused, and what helps; None: it may well answer another time."""
        text, asked = str(fault), quoted(chat.question)
        if fault.status is not None and _is_too_long(fault):
            return TooLongError(
                f"{asked} with {len(chat.pictures)} pictures is more than {self.endpoint.where} "
                f"reads at once: {text}; show it fewer crops, lower max_pixels or put a shorter "
                "question"
            )
        if fault.status is None or fault.repeat:
            return None
        if "logprob" in text.lower():
            return self._no_logprobs(text)
        way = "; leave it out with temperature=None" if "temperature" in text else ""
        if fault.status == 413:
            way = "; lower max_pixels, or let the server take larger requests"
        return ValueError(f"{self.endpoint.where} refuses {asked}: {text}{way}")

    def _no_logprobs(self, what: str) -> ValueError:
        return ValueError(
            f"{self.endpoint.where} gives no top_logprobs={self.config.top_logprobs} of an "
            f"answer's first token: {what}; lower top_logprobs if it is too many, take a server "
            "that gives them (vLLM, SGLang, llama.cpp), or ask for free answers"
        )


def _is_too_long(fault: FaultError) -> bool:
    """By the code that OpenAI and its likes send, or by the words of other servers."""
    if fault.code in ("context_length_exceeded", "exceed_context_size_error"):
        return True
    return bool(
        re.search(
            r"context (length|size|window)|max_model_len|maximum (model |sequence )?length"
            r"|prompt is too long|input is too long",
            str(fault),
            re.IGNORECASE,
        )
    )
