"""Ask a judge for grades: each prompt once, a reply without a grade once more, then none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from seal.endpoint.cache import AnswerCache, content_key
from seal.endpoint.client import Endpoint, Session, together
from seal.endpoint.faults import FaultError
from seal.endpoint.named import named_endpoint
from seal.endpoint.replies import Reply
from seal.evaluation.judges.config import KEY_OPTION, JudgeConfig, check_judge
from seal.evaluation.judges.rubric import JudgePrompt, Rubric
from seal.failure import FailedError

# What a prediction line holds under `grade`; `score` is None for a question that got none.
Grade = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Request:
    prompt: JudgePrompt
    places: list[int]  # of those who asked this


class Judge:
    """A model at an OpenAI-compatible address that grades by one rubric."""

    def __init__(self, endpoint: Endpoint, config: JudgeConfig, rubric: Rubric) -> None:
        self.endpoint = endpoint
        self.config = config
        self.rubric = rubric
        self.cut = 0  # replies that were longer than allowed
        self.fault = ""  # the last one

    @classmethod
    def at(
        cls, address: str | None, rubric: Rubric, config: JudgeConfig, *, key_name: str
    ) -> Judge:
        """The judge at `http://HOST:PORT/v1#MODEL`; without `#MODEL`, the only one served there.

        `key_name`: the environment variable of the key.

        Raises:
            ValueError: no address, no key where one is needed, or nobody answers there.
        """
        endpoint, _ = named_endpoint(
            check_judge(address, key_name),
            option="judge",
            key_name=key_name,
            key_option=KEY_OPTION,
            concurrency=config.concurrency,
            attempts=config.attempts,
            timeout=config.timeout,
            backoff=config.backoff,
        )
        return cls(endpoint, config, rubric)

    @property
    def name(self) -> str:
        return self.endpoint.model

    def settings(self) -> dict[str, Any]:
        """What grades depend on, for results; no key."""
        return {
            "address": self.endpoint.base_url,
            "model": self.name,
            "prompt": self.rubric.version,
            "temperature": self.config.temperature,
            "max_tokens": self.config.max_tokens,
        }

    def report(self) -> dict[str, Any]:
        """What was sent and what that cost; replies that were cut hold no grade."""
        return self.endpoint.usage.report() | {"cut": self.cut}

    def made(self, grade: Grade | None) -> bool:
        """Whether a grade is one that this judge would not be asked for again."""
        return (
            grade is not None
            and grade.get("score") is not None
            and grade.get("model") == self.name
            and grade.get("prompt") == self.rubric.version
            and grade.get("temperature") == self.config.temperature
        )

    def grade(
        self, prompts: Sequence[JudgePrompt], done: Callable[[int, Grade], None]
    ) -> list[Grade]:
        """The grade of each. `done` is told of each, by its place, as soon as it is there.

        A grade's `score` is None where two replies held none, and where the server brought no
        reply (`fault` says why).

        Raises:
            ValueError: the server refuses the key or the model.
            FailedError: more than half of the requests brought no reply.
        """
        grades: dict[int, Grade] = {}

        def keep(request: _Request, grade: Grade) -> None:
            for place in request.places:
                grades[place] = grade
                done(place, grade)

        requests: dict[str, _Request] = {}
        for place, prompt in enumerate(prompts):  # those that are alike are asked for once
            key = self._key(prompt)
            requests.setdefault(key, _Request(prompt, [])).places.append(place)
        if requests:
            self.endpoint.run(lambda session: self._grade(session, requests, keep))
        faulty = sum("fault" in grades[request.places[0]] for request in requests.values())
        if 2 * faulty > len(requests):
            raise FailedError(
                f"{faulty} of {len(requests)} answers got no grade from {self.endpoint.where}, "
                f"the last: {self.fault}; the same command goes on from here"
            )
        return [grades[place] for place in range(len(prompts))]

    async def _grade(
        self,
        session: Session,
        requests: dict[str, _Request],
        keep: Callable[[_Request, Grade], None],
    ) -> None:
        path = self.config.cache_path
        cache = AnswerCache(path, option="judging.cache") if path is not None else None
        with cache or nullcontext():

            async def one(key: str, request: _Request) -> None:
                keep(request, await self._one(session, cache, key, request.prompt))

            await together(one(key, request) for key, request in requests.items())

    async def _one(
        self, session: Session, cache: AnswerCache | None, key: str, prompt: JudgePrompt
    ) -> Grade:
        said: list[str] = []
        for attempt in range(2):
            try:
                reply = await self._reply(session, cache, key, attempt, prompt, said)
            except FaultError as fault:
                self.fault = str(fault)
                self.endpoint.usage.no_answer += 1
                return self._made(None, said[-1] if said else "") | {"fault": str(fault)}
            said.append(reply.text)
            if reply.finish == "length":  # half a number may look like a whole one
                self.cut += 1
                continue
            score = self.rubric.read(reply.text)
            if score is not None:
                return self._made(score, reply.text)
        return self._made(None, said[-1])

    async def _reply(
        self,
        session: Session,
        cache: AnswerCache | None,
        key: str,
        attempt: int,
        prompt: JudgePrompt,
        said: Sequence[str],
    ) -> Reply:
        # A whole reply does not depend on how long it was allowed to be, one that was cut does.
        cut_key = f"{key}@{self.config.max_tokens}"
        kept = None
        if cache is not None:
            kept = cache.get(key, attempt) or cache.get(cut_key, attempt)
        if kept is not None:
            self.endpoint.usage.from_cache += 1
            return Reply.from_json(kept)
        reply = await session.chat_patiently(lambda: self._body(prompt, said), Reply.of)
        if cache is not None:
            under = cut_key if reply.finish == "length" else key
            reply = Reply.from_json(cache.put(under, attempt, self.name, reply.to_json()))
        return reply

    def _body(self, prompt: JudgePrompt, said: Sequence[str]) -> dict[str, Any]:
        """The fields of a request; `said`: replies that held no grade."""
        messages = [
            {"role": "system", "content": prompt.system},
            {"role": "user", "content": prompt.user},
        ]
        for reply in said:
            # Some servers refuse a turn without words.
            messages += [
                {"role": "assistant", "content": reply or "..."},
                {"role": "user", "content": prompt.again},
            ]
        body: dict[str, Any] = {
            "messages": messages,
            self.endpoint.limit_name: self.config.max_tokens,
        }
        if self.config.temperature is not None:
            body["temperature"] = self.config.temperature
        return body

    def _key(self, prompt: JudgePrompt) -> str:
        """What the reply depends on."""
        asked = [prompt.system, prompt.user, prompt.again]
        return content_key([*asked, self.name, self.config.temperature])

    def _made(self, score: Any, said: str) -> Grade:
        return {
            "score": score, "model": self.name, "prompt": self.rubric.version,
            "temperature": self.config.temperature, "said": said,
        }  # fmt: skip
