"""What answers questions about pictures for a builder: a VQA LLM of ours, or an endpoint."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from PIL import Image

from seal.data.record_set import RecordTarget
from seal.failure import FailedError
from seal.working_memory import MemoryTarget, VisualWorkingMemory

if TYPE_CHECKING:
    from seal.inference.answers.protocol import AnswerModel

_RETRIES = 6  # the client's own, with back-off


@dataclass(frozen=True, slots=True)
class ImageQuestion:
    """One request. `targets` are what the question is about; not every model can be shown them."""

    image: Image.Image
    question: str
    targets: tuple[RecordTarget, ...] = ()


class ImageAnswers(Protocol):
    """Answers in free form, one to each question."""

    def answer(self, questions: Sequence[ImageQuestion]) -> list[str]: ...


class SealAnswers:
    """A VQA LLM; with `crops` it is shown the targets as after a search."""

    def __init__(
        self, load: Callable[[], AnswerModel], *, crops: bool = True, max_new_tokens: int = 60
    ) -> None:
        """`load` is called with the first question, so that workers are forked without a model."""
        self.model = cache(load)
        self.crops = crops
        self.max_new_tokens = max_new_tokens

    def answer(self, questions: Sequence[ImageQuestion]) -> list[str]:
        """What does not fit the model's context has the empty answer."""
        memories = [self._memory(question) for question in questions]
        model, limit = self.model(), self.max_new_tokens
        fitting = [i for i, m in enumerate(memories) if model.fits(m, max_new_tokens=limit)]
        found = model.generate([memories[i] for i in fitting], max_new_tokens=limit)
        texts = [""] * len(memories)
        for place, generation in zip(fitting, found, strict=True):
            texts[place] = generation.text
        return texts

    def _memory(self, question: ImageQuestion) -> VisualWorkingMemory:
        targets = tuple(MemoryTarget(t.name, (t.box,)) for t in question.targets)
        return VisualWorkingMemory(question.question, question.image, targets if self.crops else ())


class EndpointAnswers:
    """Any OpenAI-compatible endpoint whose model sees pictures; greedy, many at once."""

    def __init__(
        self,
        model: str,
        *,
        key: str,
        base_url: str | None,
        max_new_tokens: int,
        concurrency: int,
        timeout: float,
    ) -> None:
        self.model = model
        self.base_url = base_url
        self.max_new_tokens = max_new_tokens
        self.concurrency = concurrency
        self.timeout = timeout
        self._key = key

    def answer(self, questions: Sequence[ImageQuestion]) -> list[str]:
        """See `ImageAnswers`.

        Raises:
            RuntimeError: the endpoint refuses, or does not answer after several tries.
        """
        return asyncio.run(self._answer(questions))

    async def _answer(self, questions: Sequence[ImageQuestion]) -> list[str]:
        from openai import AsyncOpenAI, OpenAIError

        slots = asyncio.Semaphore(self.concurrency)
        # A client belongs to the event loop it was made in.
        async with AsyncOpenAI(
            api_key=self._key or "none",
            base_url=self.base_url,
            max_retries=_RETRIES,
            timeout=self.timeout,
        ) as client:

            async def ask(question: ImageQuestion) -> str:
                async with slots:
                    return await self._ask(client, question)

            try:
                return list(await asyncio.gather(*map(ask, questions)))
            except OpenAIError as error:
                text = str(error).replace(self._key, "[key]") if self._key else str(error)
                where = self.base_url or "api.openai.com"
                raise FailedError(
                    f"model {self.model!r} at {where} does not answer: {' '.join(text.split())}; "
                    "the same command goes on from here"
                ) from None

    async def _ask(self, client: Any, question: ImageQuestion) -> str:
        completion = await client.chat.completions.create(
            model=self.model,
            temperature=0,
            max_tokens=self.max_new_tokens,
            messages=[
                {
                    "role": "user",
                    "content": [
                        {"type": "image_url", "image_url": {"url": _data_url(question.image)}},
                        {"type": "text", "text": question.question},
                    ],
                }
            ],
        )
        return (completion.choices[0].message.content or "").strip()


def _data_url(image: Image.Image) -> str:
    stream = io.BytesIO()
    image.convert("RGB").save(stream, "PNG")  # no artifacts of ours between the two pictures
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
