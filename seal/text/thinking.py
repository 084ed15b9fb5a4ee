"""What a model that thinks aloud says in the end: its answer without its thoughts."""

from __future__ import annotations

import re

# <think> ... </think> of most, with wedges in some.
_OPEN = re.compile(r"<(?:think|thinking|thought|reasoning)>|\u25c1think\u25b7", re.IGNORECASE)
_CLOSE = re.compile(r"</(?:think|thinking|thought|reasoning)>|\u25c1/think\u25b7", re.IGNORECASE)
_ANSWER = re.compile(r"<answer>(.*?)(?:</answer>|\Z)", re.IGNORECASE | re.DOTALL)


def without_thinking(text: str) -> str:
    """The answer behind the thoughts, "" if the model was cut while it thought.

    Some chat templates open the thoughts themselves: then only their end is seen.
    """
    closes = list(_CLOSE.finditer(text))
    rest = text[closes[-1].end() :] if closes else text
    opened = _OPEN.search(rest)
    if opened is not None:  # thoughts that no mark ends
        rest = rest[: opened.start()]
    answer = _ANSWER.search(rest)
    return (answer.group(1) if answer is not None else rest).strip()
