"""One question, or one search, on its way through an `AskQueue`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from PIL.Image import Image

from seal.inference.answers.protocol import Cost
from seal.pipeline.answer import Answer
from seal.pipeline.ask_ticket import AskTicket
from seal.pipeline.events import OnEvent
from seal.pipeline.pictures import Picture
from seal.pipeline.question import Question
from seal.pipeline.telling import Telling
from seal.search.locator import LocateRequest
from seal.search.result import SearchResult
from seal.search.ticket import Ticket


@dataclass(slots=True, eq=False)
class AskJob:
    """What is asked, and how far it has come."""

    ticket: AskTicket[Any]
    picture: Picture | None  # as it was given
    pixels: int  # that its picture takes once it is open, besides what the caller keeps
    question: Question | None  # with the open picture, once there is one; None: a search alone
    target: str = ""  # of a search alone
    on_event: OnEvent | None = None
    image: Image | None = None  # open
    answer: Answer | None = None
    planned: bool = False  # the first answer has been given
    wanted: list[LocateRequest] = field(default_factory=list)
    searches: list[Ticket] = field(default_factory=list)  # of `wanted`, in a search queue
    found: dict[int, SearchResult] = field(default_factory=dict)  # by place in `wanted`
    waited: int = 0  # rounds since it was ready for the next answer
    spent: Cost = field(default_factory=Cost)
    spent_planning: Cost = field(default_factory=Cost)  # part of the former
    seconds: dict[str, float] = field(
        default_factory=lambda: {"show": 0.0, "search": 0.0, "tell": 0.0}
    )
    outcome: Answer | SearchResult | None = None
    failure: BaseException | None = None
    telling: Telling = field(init=False)

    def __post_init__(self) -> None:
        self.telling = Telling([self.on_event])

    def __lt__(self, other: AskJob) -> bool:
        return self.ticket < other.ticket

    @property
    def over(self) -> bool:
        """There is nothing more to do for it."""
        return self.outcome is not None or self.failure is not None or self.ticket.done

    def found_all(self) -> bool:
        return len(self.found) == len(self.wanted)
