"""A plan: what to search for, who said so, and how sure the model is without any search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from seal.text.targets import why_not_a_target
from seal.working_memory import VisualWorkingMemory


@dataclass(frozen=True, slots=True)
class Exchange:
    """A planner's own question to the answer model, and what it answered."""

    asked: str
    answered: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Plan:
    """What a planner decided for one question."""

    by: str  # the planner's name; "given": the caller named the targets
    targets: tuple[str, ...] = ()  # to search for, each once
    unsearchable: tuple[str, ...] = ()  # named as missing, but no thing's name
    sure: bool | None = None  # the whole image is enough, says the model; None: nobody asked it
    confidence: float | None = None  # that it is enough, in [0, 1]; None: the model does not tell
    first_text: str = ""  # the answer itself, if the plan was read off one
    said: tuple[Exchange, ...] = ()  # what the planner asked besides, in order
    extractor: str = ""  # what parsed the question for its noun phrases: `spacy` or `fallback`
    fallback: str = ""  # why it was not planned as `by` says, and how instead; "" if it was

    def __repr__(self) -> str:
        searched = ", ".join(self.targets) or "nothing"
        sure = "" if self.confidence is None else f", {self.confidence:.2f} sure without"
        return f"<Plan by {self.by}: search for {searched}{sure}>"

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        plan = asdict(self)
        return plan | {
            "targets": list(self.targets),
            "unsearchable": list(self.unsearchable),
            "said": list(plan["said"]),
        }


class Planner(Protocol):
    """Says what to search for; many questions in, one plan each out."""

    @property
    def name(self) -> str: ...

    @property
    def answers_first(self) -> bool:
        """Its plans come with the model's first answer, which a free question needs anyway."""
        ...

    def plan(self, memories: Sequence[VisualWorkingMemory]) -> list[Plan]:
        """memories: question and whole image, nothing searched for yet."""
        ...


def given_plan(targets: Iterable[str] = ()) -> Plan:
    """The plan of a caller who names the targets himself."""
    return Plan(by="given", targets=tuple(dict.fromkeys(targets)))


def searchable(names: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names, each once, parted into those that can be searched for and the others.

    What a model says is not the caller's fault: told, and the others searched for.
    """
    kept: dict[bool, list[str]] = {True: [], False: []}
    for name in dict.fromkeys(names):
        kept[why_not_a_target(name) is None].append(name)
    return tuple(kept[True]), tuple(kept[False])
