"""A prompt as the messages of a chat; a model that was refused is told why."""

from __future__ import annotations

from seal.building.language.unwritten_records import Prompt

Messages = list[dict[str, str]]


def chat_messages(prompt: Prompt, refused: tuple[str, str] | None = None) -> Messages:
    """`refused`: the last answer and what was wrong with it."""
    user = prompt.user
    if refused is not None:
        # In the same turn: some chat templates take no other order than user, assistant, user.
        answer, reason = refused
        user += f"\n\nAn earlier answer, {answer!r}, was of no use: {reason}."
    messages = [{"role": "system", "content": prompt.system}] if prompt.system else []
    return [*messages, {"role": "user", "content": user}]
