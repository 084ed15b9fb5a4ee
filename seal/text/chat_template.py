"""A template taken from a tokenizer's own chat template, by rendering turns of known words.

What is written around the words is what the model's maker trained with; every row is compared with
a rendering of the chat template itself. Three deviations, all on purpose:

- Questions and answers lose the whitespace around them, which most templates drop themselves.
- Every answer stands behind what it would be generated behind. Some templates leave parts of that
  out before the answers of earlier turns (Qwen3: the empty thoughts).
- A row ends at the end of its last turn; the newline that some templates write behind it is left
  out, for nothing learns it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from seal.text.quote import quoted
from seal.text.template import VQA, VSM, Template, require_prompt_style
from seal.text.tokenize import Tokenizer
from seal.text.tokens import IMAGE_END_TOKEN, IMAGE_START_TOKEN

# Words that no template has a rule for.
_ASKED, _SAID = ("Qav7x", "Qbv8x", "Qcv9x"), ("Rav7x", "Rbv8x")
# Text as it comes, to see that it is written as it is.
_PROBES = (
    ('Is the "red" mug\n\n  left of <it>?', "It's {{ left }}, 50 %: 红色的杯子在左边。\nYes"),
    ("红色的杯子?", "A. mug"),
)


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """A `Template` that was taken from a chat template."""

    folder: str  # of the tokenizer
    first: str  # before the first question
    between: str  # from the end of an answer to the next question
    closing: str  # from a question to where its answer is generated
    earlier: str  # the same before answers of earlier turns
    final: str  # the same before the last answer of a whole conversation
    lead: str
    stop: str
    image: str
    marks: re.Pattern[str]
    render: Callable[..., str]

    @property
    def plain(self) -> bool:
        return False

    @property
    def stands_before(self) -> str:
        return self.closing

    @property
    def writes_bos(self) -> bool:
        return True

    def opening(self, first: bool) -> str:
        return self.first if first else self.between

    def written(self, text: str) -> str:
        return text.strip()

    def mark_in(self, text: str) -> str | None:
        found = self.marks.search(text)
        return found[0] if found else None

    def check(self, turns: Sequence[tuple[str, str]], question: str | None = None) -> None:
        """Compare with what the chat template writes of the same turns."""
        messages = []
        text = ""
        for index, (asked, said) in enumerate(turns):
            last = question is None and index + 1 == len(turns)
            closing = self.final if last else self.earlier
            text += f"{self.opening(index == 0)}{asked}{closing}{self.lead}{said}{self.stop}"
            messages += [_message("user", asked), _message("assistant", said)]
        if question is not None:
            text += f"{self.opening(not turns)}{question}{self.closing}"
            messages.append(_message("user", question))
        rendered = self.render(messages, answer_next=question is not None)
        whole = rendered == text if question is not None else rendered.startswith(text)
        if not whole:
            at = next(
                (i for i, (a, b) in enumerate(zip(rendered, text, strict=False)) if a != b),
                min(len(rendered), len(text)),
            )
            raise ValueError(
                f"the chat template of {self.folder} writes {quoted(rendered[at : at + 40])} where "
                f"these turns have {quoted(text[at : at + 40])}; leave that out, or use "
                "prompt_style=vicuna"
            )


def choose_template(tokenizer: Tokenizer, model: str, prompt_style: str) -> Template:
    """What `model` ("vqa" or "vsm") with this tokenizer reads and writes.

    Raises:
        ValueError: the tokenizer has no chat template, or one that cannot be taken apart.
    """
    require_prompt_style(prompt_style)
    own = {"vqa": VQA, "vsm": VSM}[model]
    if prompt_style == "vicuna":
        return own if own.stop == tokenizer.eos_token else replace(own, stop=tokenizer.eos_token)
    return _derived(tokenizer, own.image)


@lru_cache(maxsize=8)
def _derived(tokenizer: Tokenizer, image: str) -> ChatTemplate:
    """Raises a ValueError if the chat template is not the same around every turn."""
    where = str(tokenizer.folder)
    if tokenizer.chat_template is None:
        raise ValueError(
            f"{where} has no chat template (chat_template.jinja beside tokenizer.json): put one "
            "there (eval/convert chat_template=FILE does), or use prompt_style=vicuna"
        )

    def rendered(asked: int, said: int) -> list[str]:
        """What is written around the words of so many turns."""
        messages, words = [], []
        for index in range(asked):
            messages.append(_message("user", _ASKED[index]))
            words.append(_ASKED[index])
            if index < said:
                messages.append(_message("assistant", _SAID[index]))
                words.append(_SAID[index])
        text, parts = tokenizer.render(messages, answer_next=asked > said), []
        for word in words:
            before, found, text = text.partition(word)
            if not found:
                raise _unusable(where, "leaves out the text of a turn, or writes it elsewhere")
            parts.append(before)
        if any(word in text for word in words):
            raise _unusable(where, "writes the text of a turn twice")
        return [*parts, text]

    first, closing = rendered(1, 0)
    also_first, final, tail = rendered(1, 1)
    head, earlier, gap, _ = rendered(2, 1)
    if not first == also_first == head:
        raise _unusable(where, "begins otherwise when more turns follow")
    known = sorted(tokenizer.added_tokens, key=len, reverse=True)
    ends = re.search("|".join(map(re.escape, known)), gap) if known else None
    stop = "" if ends is None else gap[: ends.end()]
    if ends is None or not tail.startswith(stop) or gap[: ends.start()].strip():
        raise _unusable(where, "does not end an answer with a token of its own")
    lead = ""
    if final.startswith(closing):
        lead = final.removeprefix(closing)
        final = closing
    if lead:
        earlier = earlier.removesuffix(lead)
    extras = [closing.removeprefix(each) for each in (earlier, final) if closing.startswith(each)]
    if len(extras) < 2 or lead.strip():
        raise _unusable(where, "begins an answer otherwise than it asks for one")
    if any("<think>" in extra and "</think>" not in extra for extra in extras):
        raise _unusable(where, "begins every answer with thoughts, which cannot be turned off")
    marks = {*tokenizer.control_tokens, stop.strip(), IMAGE_START_TOKEN, IMAGE_END_TOKEN}
    template = ChatTemplate(
        where, first, gap.removeprefix(stop), closing, earlier, final, lead, stop, image,
        re.compile("|".join(map(re.escape, sorted(marks, key=len, reverse=True)))),
        tokenizer.render,
    )  # fmt: skip
    for count in range(len(_PROBES) + 1):
        template.check(_PROBES[:count], _ASKED[0])
        if count:
            template.check(_PROBES[:count])
    return template


def _message(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}


def _unusable(where: str, why: str) -> ValueError:
    return ValueError(
        f"{where}: its chat template {why}; give another (chat_template.jinja), or use "
        "prompt_style=vicuna"
    )
