"""How turns become text: what a template is, and SEAL's own, which Vicuna's tokenizers write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from seal.text.tokens import IMAGE_END_TOKEN, IMAGE_PLACEHOLDER, IMAGE_START_TOKEN

# vicuna: SEAL's own sentences around every turn, as the released weights learned them;
# chat: the chat template that the language model's tokenizer was published with.
PROMPT_STYLES = ("vicuna", "chat")


def require_prompt_style(value: str) -> None:
    """Raise a ValueError unless there is such a style."""
    if value not in PROMPT_STYLES:
        raise ValueError(f"prompt_style={value!r} is none of {', '.join(PROMPT_STYLES)}")


class Template(Protocol):
    """A row is, turn by turn: `opening`, question, `closing`, `lead`, answer, `stop`."""

    @property
    def plain(self) -> bool:
        """Alignment: the image, the answer and `stop`, nothing else."""

    @property
    def image(self) -> str:
        """What stands for `<image>`."""

    @property
    def closing(self) -> str:
        """Behind a question, up to where its answer starts."""

    @property
    def stands_before(self) -> str:
        """The end of every prompt, with which nothing before it can merge."""

    @property
    def lead(self) -> str:
        """Whitespace before an answer, learnt with it."""

    @property
    def stop(self) -> str:
        """The end of an answer, learnt with it."""

    @property
    def writes_bos(self) -> bool:
        """Whether the beginning of sequence, if any, is part of the first opening."""

    def opening(self, first: bool) -> str:
        """Before the first question, or between an answer's `stop` and the next question."""

    def written(self, text: str) -> str:
        """How the text of a question or an answer is written."""

    def mark_in(self, text: str) -> str | None:
        """What `text` holds that would end or shift a turn; None: nothing."""

    def check(self, turns: Sequence[tuple[str, str]], question: str | None = None) -> None:
        """Refuse turns (and a question to be answered) that the original template writes otherwise.

        Raises:
            ValueError: it drops or changes text.
        """


@dataclass(frozen=True, slots=True)
class SealTemplate:
    """A `Template` of SEAL's own."""

    name: str
    system: str = ""
    user: str = "USER:"
    assistant: str = "ASSISTANT:"
    stop: str = "</s>"
    image: str = IMAGE_PLACEHOLDER
    plain: bool = False

    @property
    def closing(self) -> str:
        return "" if self.plain else f" {self.assistant}"

    @property
    def stands_before(self) -> str:
        return self.assistant

    @property
    def lead(self) -> str:
        return "" if self.plain else " "

    @property
    def writes_bos(self) -> bool:
        return False

    def opening(self, first: bool) -> str:
        if self.plain:
            return ""
        return f"{self.system} {self.user} " if first else f"{self.user} "

    def written(self, text: str) -> str:
        return text

    def mark_in(self, text: str) -> str | None:
        marks = () if self.plain else (self.stop, f"{self.assistant} ")
        return next((mark for mark in marks if mark in text), None)

    def check(self, turns: Sequence[tuple[str, str]], question: str | None = None) -> None:
        """It is the original."""


_SYSTEM = (
    "A chat between a curious {who} and an artificial intelligence assistant. The assistant gives "
    "helpful, detailed, and polite answers to the {who}'s questions."
)
VQA = SealTemplate("vqa", _SYSTEM.format(who="user"))
VSM = SealTemplate(
    "vsm",
    _SYSTEM.format(who="human"),
    image=f"{IMAGE_START_TOKEN}{IMAGE_PLACEHOLDER}{IMAGE_END_TOKEN}",
)
PLAIN = SealTemplate("plain", user="", assistant="", stop="\n", plain=True)
