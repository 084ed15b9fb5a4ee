"""A model behind an OpenAI-compatible server as an answer model: free answers, and letters."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from PIL.Image import Image

from seal.endpoint.client import Endpoint
from seal.endpoint.named import named_endpoint
from seal.endpoint.replies import Reply
from seal.inference.answers.chat_pictures import ChatPictures
from seal.inference.answers.chats import Chats, TooLongError
from seal.inference.answers.endpoint_config import EndpointConfig
from seal.inference.answers.endpoint_vision import check_vision
from seal.inference.answers.layouts import user_turn
from seal.inference.answers.protocol import Account, Cost, Generation
from seal.inference.answers.top_words import first_words, word_losses
from seal.text.tokens import IMAGE_PLACEHOLDER
from seal.working_memory import VisualWorkingMemory

Tell = Callable[[str], None]


class EndpointAnswerModel:
    """An `AnswerModel` on a server.

    Costs are as the server counts tokens, and as pictures are sent; an answer out of the cache
    costs what it cost at first. Equal requests get equal answers by the cache alone: most servers
    compute batches that differ in the last digits. A question goes as it is: whether a control
    token in it is taken for text is the server's to decide, who alone has the tokenizer.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        config: EndpointConfig | None = None,
        *,
        context: int | None = None,
        tell: Tell | None = None,
    ) -> None:
        """`context`: tokens of prompt and answer together that the model reads, if known.

        `tell`: is told of pictures that are resized; None: the log.
        """
        self.endpoint = endpoint
        self.config = config or EndpointConfig()
        self.context = context
        self.account = Account()
        self._tell = tell or logging.getLogger(__name__).warning
        self._pictures = ChatPictures(self.config.max_pixels, self._tell)
        self._chats = Chats(endpoint, self.config, self._pictures)
        self._said_other = False  # whether it was told that answers begin with none of the words
        self._sees = not self.config.check_vision  # whether it was seen that it sees

    scores_options = False  # only letters; see `loglikelihood`

    @classmethod
    def from_address(
        cls, address: str, config: EndpointConfig | None = None, *, tell: Tell | None = None
    ) -> EndpointAnswerModel:
        """The model at `http://HOST:PORT/v1#MODEL`; without `#MODEL`, the only one served there.

        Raises:
            ValueError: the address is none or nobody answers there, the key is missing or refused,
                or there is no such model, with those that are served.
        """
        config = config or EndpointConfig()
        endpoint, model = named_endpoint(
            address,
            key_name=config.api_key_env,
            concurrency=config.concurrency,
            attempts=config.attempts,
            timeout=config.timeout,
            backoff=config.backoff,
        )
        return cls(endpoint, config, context=model.context, tell=tell)

    @property
    def cost(self) -> Cost:
        return self.account.total

    def loglikelihood(
        self, requests: Sequence[tuple[VisualWorkingMemory, Sequence[str]]]
    ) -> list[list[float]]:
        """Not to be had here.

        Raises:
            ValueError: there are requests.
        """
        if requests:
            raise ValueError(
                f"{self.endpoint.where} gives no likelihood of whole options, as no endpoint does: "
                "choose with scoring=letter, or load the model itself"
            )
        return []

    def next_word(
        self, requests: Sequence[tuple[VisualWorkingMemory, Sequence[str]]]
    ) -> list[list[float]]:
        """See `AnswerModel`; infinity for a word that is not among the `top_logprobs` likeliest.

        Raises:
            ValueError: two words begin alike; the server gives no logprobs.
        """
        for _, words in requests:
            first_words(words)
        memories = [memory for memory, _ in requests]
        replies = self._ask(memories, max_tokens=1, logprobs=True)
        losses = [
            word_losses(words, reply.first or ())
            for (_, words), reply in zip(requests, replies, strict=True)
        ]
        for (_, words), reply, row in zip(requests, replies, losses, strict=True):
            if reply.first and all(map(math.isinf, row)) and not self._said_other:
                self._said_other = True
                begins = max(reply.first, key=lambda token: token[1])[0]
                self._tell(
                    f"{self.endpoint.where} begins an answer with {begins!r} and likely with none "
                    f"of {', '.join(words)}; a model that thinks first can mostly be told not to, "
                    'as in extra={"chat_template_kwargs": {"enable_thinking": false}}'
                )
        return losses

    def generate(
        self, requests: Sequence[VisualWorkingMemory], *, max_new_tokens: int = 200
    ) -> list[Generation]:
        """See `AnswerModel`. An answer's number of tokens is 0 where the server does not count.

        Raises:
            ValueError: the server refuses a request; see `Chats.ask`.
            FailedError: it does not answer.
        """
        return [
            Generation(reply.text, reply.tokens_written or 0, reply.finish != "length")
            for reply in self._ask(requests, max_tokens=max_new_tokens)
        ]

    def prompt(self, memory: VisualWorkingMemory) -> str:
        """The user's turn; the server's own template around it is not known here."""
        turn = user_turn(memory, self.config.layout)
        return "\n".join(item.get("text", IMAGE_PLACEHOLDER) for item in turn)

    def fits(
        self,
        memory: VisualWorkingMemory,
        options: Sequence[str] = (),
        *,
        max_new_tokens: int = 200,
    ) -> bool:
        """See `AnswerModel`; True where the server does not tell its context.

        Asks for one token, for only the server can count. With `options` an answer is one token, a
        letter.
        """
        if self.context is None:
            return True
        try:
            (reply,) = self._ask([memory], max_tokens=1)
        except TooLongError:
            return False
        return (reply.tokens_read or 0) + (1 if options else max_new_tokens) <= self.context

    def sent_size(self, image: Image) -> tuple[int, int]:
        """(width, height) at which a picture is sent; the server may resize it further."""
        return self._pictures.size(image)

    def settings(self) -> dict[str, Any]:
        """What answers depend on, for results; no key."""
        depends = ("layout", "max_pixels", "detail", "temperature", "top_logprobs", "extra")
        config = asdict(self.config)
        return {
            "kind": "endpoint",
            "address": self.endpoint.base_url,
            "model": self.endpoint.model,
            "context": self.context,
        } | {name: config[name] for name in depends}

    def report(self) -> dict[str, Any]:
        """Requests of this run and what they cost, `Usage`'s; how many pictures were resized."""
        return self.endpoint.usage.report() | {"resized_pictures": self._pictures.resized}

    def _ask(
        self, memories: Sequence[VisualWorkingMemory], *, max_tokens: int, logprobs: bool = False
    ) -> list[Reply]:
        if not self._sees and any(memory.image is not None for memory in memories):
            check_vision(self._chats, self._tell)
            self._sees = True
        answered = self._chats.ask(memories, max_tokens=max_tokens, logprobs=logprobs)
        for memory, answer in zip(memories, answered, strict=True):
            spent = Cost(
                calls=1,
                tokens_read=answer.reply.tokens_read or 0,
                tokens_written=answer.reply.tokens_written or 0,
                images=answer.images,
                pixels=answer.pixels,
            )
            self.account.charge(memory, spent)
        return [answer.reply for answer in answered]
