"""A chat request in OpenAI's form as a question to `Seal`.

The last message is the user's question: its texts, and at most one picture in all messages. What is
to be searched for is found out by the question alone, without a list of options and without how to
answer, which name nothing; the final answer is given to the whole text, behind what a system
message says and what was said before. Answers are greedy whatever `temperature` and its like say;
`seal.not_used` of the reply names such fields.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seal.inference.answers.protocol import MAX_ANSWER_TOKENS
from seal.pipeline import Question
from seal.search.budget import BudgetConfig
from seal.serving.config import ServeConfig
from seal.serving.data_url import read_data_url
from seal.serving.errors import RequestError, bad
from seal.text.bare_question import bare_question
from seal.text.quote import quoted

MOST_TEXT = 100_000  # characters of all texts of a request
MOST_MESSAGES = 256
MOST_OPTIONS = 64
MOST_TARGETS = 16
_SAID_BY = {"user": "User", "assistant": "Assistant"}
_SYSTEM = ("system", "developer")
# What would change the form of the answer, or is no picture or text.
_REFUSED = {
    "tools": "it calls no tools",
    "functions": "it calls no functions",
    "audio": "it answers in text",
    "prediction": "it takes no prediction",
    "logprobs": "it tells no probabilities of tokens; seal.options gives those of options",
    "top_logprobs": "it tells no probabilities of tokens; seal.options gives those of options",
    "logit_bias": "it answers greedily",
    "web_search_options": "it fetches nothing",
}
_READ = {
    "model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "stop",
    "n", "seal", "response_format", "modalities",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What was asked, and how it is to be answered."""

    question: Question
    stream: bool = False
    include_usage: bool = False
    stop: tuple[str, ...] = ()
    trace: bool = False  # every visit of every search is told
    not_used: tuple[str, ...] = ()  # fields that have no effect here

    def cut(self, text: str) -> str:
        """The text up to where it was to stop."""
        ends = [text.find(stop) for stop in self.stop if stop in text]
        return text[: min(ends)] if ends else text


def read_chat(body: dict[str, Any], config: ServeConfig) -> ChatRequest:
    """The request.

    Raises:
        RequestError: in one line, with the field that is wrong.
    """
    _check_model(body.get("model"), config)
    _refuse(body)
    stream = _flag(body, "stream")
    include_usage = _stream_options(body, stream)
    seal = _seal(body.get("seal"))
    limit = _max_tokens(body, config.max_tokens)
    system, before, asked, image = _messages(body.get("messages"), config.max_image_pixels)
    bare = bare_question(asked)
    whole = "\n".join([*system, *_talk(before), asked])
    # The first answer may stand for the last one if both are put and cut alike.
    alike = bare == whole and limit == MAX_ANSWER_TOKENS
    options = seal.get("options") or ()
    try:
        question = Question(
            image,
            bare,
            options=options,
            targets=() if seal.get("search") is False else seal.get("targets"),
            final_texts=() if alike or options else (whole,),
            max_new_tokens=limit,
            budget=seal.get("budget"),
        )
    except ValueError as error:
        raise bad(str(error), "messages") from None
    used = _READ | {key for key in body if body[key] is None}
    return ChatRequest(
        question,
        stream=stream,
        include_usage=include_usage,
        stop=_stop(body.get("stop")),
        trace=seal.get("trace", False),
        not_used=tuple(sorted(quoted(key)[1:-1] for key in set(body) - used))[:32],
    )


def _check_model(name: Any, config: ServeConfig) -> None:
    if not isinstance(name, str) or not name:
        raise bad(f"model is a name: this server's is {quoted(config.model_name)}", "model")
    if name != config.model_name:
        raise RequestError(
            404,
            f"there is no model {quoted(name)} here: this server's is {quoted(config.model_name)}",
            param="model",
            code="model_not_found",
        )


def _refuse(body: dict[str, Any]) -> None:
    for name, why in _REFUSED.items():
        if body.get(name) not in (None, False, [], {}, 0):
            raise bad(f"{name} is not served: {why}", name)
    if body.get("n") not in (None, 1) or isinstance(body.get("n"), bool):
        raise bad(f"n={quoted(body['n'])}: one answer is given, set n=1", "n")
    form = body.get("response_format")
    if form is not None and (not isinstance(form, dict) or form.get("type") != "text"):
        raise bad('response_format is {"type": "text"}: it answers in words', "response_format")
    if body.get("modalities") not in (None, ["text"]):
        raise bad('modalities is ["text"]', "modalities")
    for name in ("temperature", "top_p", "presence_penalty", "frequency_penalty"):
        value = body.get(name)
        if value is not None and not _is_number(value):
            raise bad(f"{name}={quoted(value)} is no number", name)


def _stream_options(body: dict[str, Any], stream: bool) -> bool:
    options = body.get("stream_options")
    if options is None:
        return False
    if not isinstance(options, dict):
        raise bad("stream_options is an object", "stream_options")
    if not stream:
        raise bad("stream_options goes with stream=true", "stream_options")
    return _flag(options, "include_usage", "stream_options.")


def _max_tokens(body: dict[str, Any], most: int) -> int:
    limit = MAX_ANSWER_TOKENS
    for name in ("max_tokens", "max_completion_tokens"):  # the newer name last, which counts
        value = body.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise bad(f"{name}={quoted(value)} is no whole number of at least 1", name)
        limit = value
    return min(limit, most)


def _stop(stop: Any) -> tuple[str, ...]:
    if stop is None:
        return ()
    stops = [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, list) or len(stops) > 16:
        raise bad("stop is a text, or a list of at most 16", "stop")
    for each in stops:
        _text(each, "stop")
    return tuple(each for each in stops if each)


def _seal(given: Any) -> dict[str, Any]:
    """The fields of this server alone, checked."""
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise bad("seal is an object", "seal")
    known = ("options", "targets", "search", "budget", "trace")
    for key in given:
        if key not in known:
            raise bad(f"seal.{quoted(key)[1:-1]} is none of {', '.join(known)}", "seal")
    seal: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    for key, most in (("options", MOST_OPTIONS), ("targets", MOST_TARGETS)):
        if key in seal:
            seal[key] = _texts(seal[key], most, f"seal.{key}")
    for key in ("search", "trace"):
        if key in seal:
            seal[key] = _flag(seal, key, "seal.")
    if seal.get("targets") and seal.get("search") is False:
        raise bad(
            "seal.targets says what to search for, seal.search=false not to: drop one", "seal"
        )
    if "budget" in seal:
        seal["budget"] = _budget(seal["budget"])
    return seal


def _budget(given: Any) -> BudgetConfig:
    kinds = ("nodes", "calls", "seconds")
    if not isinstance(given, dict) or not set(given) <= set(kinds):
        raise bad(f"seal.budget is an object of {', '.join(kinds)}", "seal.budget")
    try:
        return BudgetConfig(**given)
    except ValueError as error:
        raise bad(f"seal.{error}", "seal.budget") from None


def _texts(given: Any, most: int, param: str) -> list[str]:
    if not isinstance(given, list):
        raise bad(f'{param} is a list of texts, as in ["red", "blue"]', param)
    if len(given) > most:
        raise bad(f"{param} has {len(given)} texts, at most {most} are taken", param)
    for text in given:
        _text(text, param)
    if sum(map(len, given)) > MOST_TEXT:
        raise bad(f"{param} is too long: at most {MOST_TEXT:,} characters are taken", param)
    return given


def _text(given: Any, param: str) -> str:
    if not isinstance(given, str):
        raise bad(f"{param} is text, not {quoted(given)}", param)
    try:
        given.encode("utf-8")
    except UnicodeEncodeError:
        raise bad(f"{param} contains half a surrogate pair, which is no text", param) from None
    return given


def _flag(of: dict[str, Any], name: str, prefix: str = "") -> bool:
    value = of.get(name)
    if value is not None and not isinstance(value, bool):
        raise bad(f"{prefix}{name}={quoted(value)} is neither true nor false", prefix + name)
    return bool(value)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, int) or math.isfinite(value)  # some whole numbers are no float


def _messages(
    messages: Any, max_pixels: int
) -> tuple[list[str], list[tuple[str, str]], str, bytes | None]:
    """What the system says, what was said before and by whom, the question, and the picture."""
    if not isinstance(messages, list) or not messages:
        raise bad("messages is a list with at least the user's question", "messages")
    if len(messages) > MOST_MESSAGES:
        raise bad(f"{len(messages)} messages, at most {MOST_MESSAGES} are taken", "messages")
    system: list[str] = []
    talk: list[tuple[str, str]] = []
    urls: list[tuple[str, str]] = []
    for i, message in enumerate(messages):
        where = f"messages[{i}]"
        if not isinstance(message, dict):
            raise bad(f"{where} is an object with role and content", where)
        role = message.get("role")
        if not isinstance(role, str) or role not in (*_SYSTEM, *_SAID_BY):
            raise bad(
                f"{where}.role={quoted(role)} is none of system, developer, user, assistant",
                f"{where}.role",
            )
        text, found = _content(message.get("content"), f"{where}.content")
        if found and role != "user":
            raise bad(f"{where}: a picture is sent by the user", where)
        urls += found
        if role in _SYSTEM:
            system += [text.strip()] * bool(text.strip())
        else:
            talk.append((role, text.strip()))
    if not talk or talk[-1][0] != "user" or messages[-1].get("role") != "user":
        raise bad("the last message is the user's question", "messages")
    if len(urls) > 1:
        raise bad(
            f"{len(urls)} pictures: SEAL looks at one; paste them into one, or ask about each",
            "messages",
        )
    *before, (_, asked) = talk
    if not asked:
        raise bad("the last message has no text: say what you want to know", "messages")
    if sum(map(len, system)) + sum(len(text) for _, text in talk) > MOST_TEXT:
        raise bad(f"the texts are too long: at most {MOST_TEXT:,} characters are taken", "messages")
    image = None if not urls else read_data_url(urls[0][0], max_pixels, urls[0][1])
    return system, before, asked, image


def _content(content: Any, where: str) -> tuple[str, list[tuple[str, str]]]:
    """The text of a message, its parts on lines of their own; and its pictures with their place."""
    if isinstance(content, str):
        return _text(content, where), []
    if not isinstance(content, list):
        raise bad(f"{where} is a text, or a list of parts", where)
    texts: list[str] = []
    urls: list[tuple[str, str]] = []
    for i, part in enumerate(content[: MOST_MESSAGES + 1]):
        at = f"{where}[{i}]"
        kind = part.get("type") if isinstance(part, dict) else None
        if i == MOST_MESSAGES:
            raise bad(f"{where} has more than {MOST_MESSAGES} parts", where)
        if kind == "text":
            texts.append(_text(part.get("text"), f"{at}.text"))
        elif kind == "image_url":
            urls.append((_url(part.get("image_url"), f"{at}.image_url"), f"{at}.image_url.url"))
        else:
            raise bad(f"{at}.type={quoted(kind)} is neither text nor image_url", at)
    return "\n".join(texts), urls


def _url(given: Any, where: str) -> str:
    if not isinstance(given, dict):
        raise bad(f'{where} is {{"url": "data:image/png;base64,..."}}', where)
    return _text(given.get("url"), f"{where}.url")


def _talk(before: Sequence[tuple[str, str]]) -> list[str]:
    """What was said before, as text: SEAL's VQA LLM answers one question and holds no talk."""
    if not before:
        return []
    return ["Before, it was said:", *(f"{_SAID_BY[role]}: {text}" for role, text in before), ""]
