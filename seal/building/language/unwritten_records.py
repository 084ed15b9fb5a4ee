"""Records that wait for a sentence: what a language model is asked, and what it makes of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from seal.data.record_set import Record


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request. The cache knows it by `system`, `user` and the model's settings."""

    task: str  # the builder's name for this kind of request; templates go by it
    system: str
    user: str
    facts: dict[str, Any] = field(default_factory=dict)  # what `user` says, for templates


@dataclass(frozen=True, slots=True)
class Draft:
    """A record without its sentences; travels between processes."""

    prompt: Prompt
    fields: dict[str, Any]  # whatever the builder's `Finish` needs


Check = Callable[[int, str], None]  # raises a ValueError if the answer to prompt i is malformed
Finish = Callable[[Draft, str], Record]  # raises a ValueError if the answer is malformed
Keep = Callable[[Sequence[Record]], Sequence[str | None]]  # why each record is dropped; None: kept


class LanguageModel(Protocol):
    """What writes sentences."""

    def settings(self) -> dict[str, Any]:
        """What an answer depends on; goes to `set.json`. No key, no address with one in it."""
        ...

    def write(self, prompts: Sequence[Prompt], check: Check) -> list[str | None]:
        """An answer to each prompt that passes `check`; None: it had none after all tries."""
        ...


class TextWriter:
    """Turns drafts into records, many at once."""

    def __init__(self, model: LanguageModel, finish: Finish) -> None:
        self.model = model
        self.finish = finish

    def __call__(self, drafts: Sequence[Draft], counts: Counter[str]) -> list[Record]:
        """The records in the order of their drafts; what got no usable answer is counted."""
        made: dict[int, Record] = {}

        def check(place: int, answer: str) -> None:
            made[place] = self.finish(drafts[place], answer)

        answers = self.model.write([draft.prompt for draft in drafts], check)
        dropped = sum(answer is None for answer in answers)
        if dropped:
            counts["no usable answer of the language model"] += dropped
        return [made[place] for place, answer in enumerate(answers) if answer is not None]
