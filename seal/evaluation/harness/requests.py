"""What a harness asks, as questions to `Seal`: one picture, one text, and how long to answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seal.inference.answers.protocol import MAX_ANSWER_TOKENS
from seal.pipeline import Question
from seal.text.bare_question import bare_question
from seal.text.quote import quoted


@dataclass(frozen=True, slots=True)
class HarnessRequest:
    """One request. `where` names it in messages, as in "task vstar_bench, document 7"."""

    where: str
    image: Any  # whatever `seal.pipeline.pictures.picture` takes; None: text alone
    text: str
    max_new_tokens: int = MAX_ANSWER_TOKENS
    until: tuple[str, ...] = ()

    def question(self) -> Question:
        """What is searched for is found out by the question alone; the answer gets it all."""
        bare = bare_question(self.text)
        # The first answer may stand for the last one if both are put and cut alike.
        alike = bare == self.text and self.max_new_tokens == MAX_ANSWER_TOKENS
        return Question(
            self.image,
            bare,
            final_texts=() if alike else (self.text,),
            max_new_tokens=self.max_new_tokens,
        )

    def cut(self, answer: str) -> str:
        """The answer up to where it was to stop."""
        ends = [answer.find(stop) for stop in self.until if stop in answer]
        return answer[: min(ends)] if ends else answer


def read_request(
    where: str, messages: Sequence[Mapping[str, Any]], generation: Mapping[str, Any]
) -> HarnessRequest:
    """A request of chat messages and of how to generate.

    Args:
        messages: of one user turn, its content a text or parts {"type": "text", "text"} and
            {"type": "image", "url"}; system messages are put before it.
        generation: max_new_tokens, until; sampling and beams are refused, SEAL answers greedily.

    Raises:
        ValueError: several pictures, a video, sound, or turns of a conversation.
    """
    system: list[str] = []
    texts: list[str] = []
    images: list[Any] = []
    turns = [message for message in messages if message.get("role") != "system"]
    if len(turns) != 1 or turns[0].get("role") != "user":
        roles = ", ".join(str(message.get("role")) for message in messages)
        raise ValueError(f"{where}: SEAL answers one question of a user, not a talk ({roles})")
    for message in messages:
        content = message.get("content")
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for part in parts or ():
            if part.get("type") == "text":
                (texts if message is turns[0] else system).append(str(part["text"]))
            elif part.get("type") == "image":
                images.append(part["url"])
            else:
                raise ValueError(f"{where}: SEAL takes pictures and text, not {part.get('type')}")
    if len(images) > 1:
        raise ValueError(f"{where}: SEAL looks at one picture, not at {len(images)}")
    text = "\n".join([*system, "".join(texts)]).strip()
    if not text:
        raise ValueError(f"{where}: there is no text to answer")
    tokens, until = _generation(where, generation)
    return HarnessRequest(where, images[0] if images else None, text, tokens, until)


def _generation(where: str, given: Mapping[str, Any]) -> tuple[int, tuple[str, ...]]:
    # At temperature 0 others do not sample either, whatever do_sample says.
    warm = (given.get("temperature") or 0) > 0
    if given.get("do_sample", warm) and given.get("temperature") != 0:
        raise ValueError(
            f"{where}: SEAL answers greedily, and the task samples (temperature="
            f"{given.get('temperature')}): set --gen_kwargs temperature=0,do_sample=False"
        )
    if (given.get("num_beams") or 1) != 1:
        raise ValueError(
            f"{where}: SEAL answers greedily, without beams: set --gen_kwargs num_beams=1"
        )
    tokens = given.get("max_new_tokens")
    tokens = MAX_ANSWER_TOKENS if tokens is None else tokens
    if isinstance(tokens, bool) or not isinstance(tokens, int) or tokens < 1:
        raise ValueError(f"{where}: max_new_tokens={quoted(tokens)} is no number above 0")
    until = given.get("until") or ()
    stops = (until,) if isinstance(until, str) else tuple(until)
    if not all(isinstance(stop, str) for stop in stops):
        raise ValueError(f"{where}: until={quoted(list(stops))}: texts at which to stop")
    return tokens, tuple(stop for stop in stops if stop)
