from __future__ import annotations

import math
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from seal.endpoint.faults import FaultError
from seal.endpoint.replies import Reply


def completion(content: Any = "Yes", *, usage: Any = None, logprobs: Any = None) -> ChatCompletion:
    """Unchecked, as the official client makes it of whatever a server says."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"content": content}}
    reply = {"id": "c", "choices": [choice | {"logprobs": logprobs}], "usage": usage}
    made = ChatCompletion.construct(**reply)
    assert isinstance(made, ChatCompletion)
    return made


def token(text: str, log_p: Any, values: Any = None, top: Any = ()) -> dict[str, Any]:
    return {"token": text, "logprob": log_p, "bytes": values, "top_logprobs": list(top)}


def first(*top: dict[str, Any], drawn: dict[str, Any] | None = None) -> Any:
    return {"content": [{**(drawn or top[0]), "top_logprobs": list(top)}]}


def test_words_counts_and_tokens_are_kept_and_come_back_from_the_cache() -> None:
    told = first(token("A", -0.5), token("C", -math.inf), token("D", -9999.0), token("\u00e4", -2))
    usage = {"prompt_tokens": 7, "completion_tokens": 1, "total_tokens": 8}
    reply = Reply.of(completion(" Yes\n", usage=usage, logprobs=told))
    tokens = (("A", -0.5), ("C", -math.inf), ("D", -math.inf), ("\u00e4", -2.0))
    assert reply == Reply("Yes", "stop", 7, 1, tokens)
    assert Reply.from_json(reply.to_json()) == reply


def test_what_is_not_told_is_none() -> None:
    reply = Reply.of(completion(None))
    assert reply == Reply("", "stop", None, None, None)
    assert Reply.from_json(reply.to_json()) == reply
    for told in ({"content": None}, {"content": []}, {"content": [token("A", -0.5)]}):
        assert Reply.of(completion(logprobs=told)).first is None


def test_a_token_is_its_bytes_where_its_text_is_written_otherwise() -> None:
    told = first(token("\u0120A", -0.5, [32, 65]), token("?", -1.0, [0xC3]), token("B", -2, []))
    assert Reply.of(completion(logprobs=told)).first == ((" A", -0.5), ("?", -1.0), ("B", -2.0))


def test_two_tokens_of_one_spelling_stay_two_and_the_drawn_one_counts_once() -> None:
    pieces = token("A", -0.5), token("A", -3.0)
    assert Reply.of(completion(logprobs=first(*pieces))).first == (("A", -0.5), ("A", -3.0))
    drawn = first(*pieces, drawn=token("Z", -7.0))
    assert Reply.of(completion(logprobs=drawn)).first == (("A", -0.5), ("A", -3.0), ("Z", -7.0))


@pytest.mark.parametrize(
    "wrong",
    [
        {"content": 7},
        {"content": ["Yes"]},
        {"logprobs": first(token("A", math.nan))},
        {"logprobs": first(token("A", None))},
    ],
)
def test_what_is_no_reply_of_a_chat_is_a_fault(wrong: dict[str, Any]) -> None:
    with pytest.raises(FaultError, match="malformed response"):
        Reply.of(completion(**wrong))
