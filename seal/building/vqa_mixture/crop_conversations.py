"""Conversations about crops: the focus sentence stands before the first question."""

from __future__ import annotations

from collections.abc import Sequence

from seal.data.record_set import ASSISTANT, HUMAN, Message
from seal.text.prompts import focused_question
from seal.text.tokens import IMAGE_PLACEHOLDER, OBJECT_PLACEHOLDER


def focused_conversation(turns: Sequence[tuple[str, str]], num_targets: int) -> tuple[Message, ...]:
    """(question, answer) pairs as a record's conversation.

    The image and one `<object>` per target go before the first question, as what a search brings
    back does; whoever reads the record writes each `<object>` out with its name and location.
    """
    messages: list[Message] = []
    for number, (question, answer) in enumerate(turns):
        if number == 0:
            shown = focused_question([OBJECT_PLACEHOLDER] * num_targets, question)
            question = f"{IMAGE_PLACEHOLDER}\n{shown}"
        messages += [Message(HUMAN, question), Message(ASSISTANT, answer)]
    return tuple(messages)
