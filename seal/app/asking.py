"""One question from the form to the answer: a stream of what the page shows meanwhile."""

from __future__ import annotations

import html
import queue
import time
from collections.abc import Callable, Generator
from concurrent.futures import CancelledError
from dataclasses import dataclass
from datetime import datetime

from seal.app.desk import Under
from seal.app.form import Wanted
from seal.app.sessions import Entry
from seal.app.stage import controls, live_words, overlay
from seal.app.told import answer_card, found_card
from seal.app.walks import Walk, Walks
from seal.app.words import verdict
from seal.pipeline.answer import Answer
from seal.pipeline.events import Event, OnEvent, Planned, Visited

Submit = Callable[[Wanted, OnEvent], Under]
_WAIT = 0.1  # seconds between two looks at whether it was cancelled
# A step stays so long in sight, where the steps come faster, while the page lags behind by no more.
_STEP_SECONDS = 0.22
_LAG_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows at a moment. HTML; None: as it was."""

    over: str | None = None  # over the picture
    below: str | None = None  # the steps
    card: str | None = None  # the answer
    message: str | None = None
    entry: Entry | None = None  # when it is over and something came out


def ask(
    submit: Submit, wanted: Wanted, *, paced: bool, begun: Callable[[Under], None]
) -> Generator[View, None, None]:
    """Views until it is over; the last one holds the entry. Ends its ticket where it is closed.

    Args:
        paced: steps that come faster than eyes follow stay a moment each.
        begun: is given the ticket, which others may cancel.
    """
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    walks = Walks()
    started = time.perf_counter()
    try:
        ticket = submit(wanted, events.put)
    except Exception as error:  # it cannot be searched for in this way, or too many wait
        yield View(message=message(_first_line(error)))
        return
    begun(ticket)
    yield View(
        over="", below=_busy("Reading the picture and the question ..."), card="", message=""
    )
    try:
        for walk, event in _until_done(ticket, events, walks, paced):
            if isinstance(event, Planned):
                yield View(below=_busy(_planned(event)))
            elif walk is not None and isinstance(event, Visited):
                over = overlay(wanted.image.size, walks.in_order, live=walk)
                yield View(over=over, below=live_words(walk))
        outcome = ticket.result(timeout=0)
    except CancelledError:
        told = _stopped(walks.in_order)
        yield View(
            over=overlay(wanted.image.size, walks.in_order),
            below=controls(walks.in_order),
            message=message(told, kind="note"),
        )
        return
    except Exception as error:
        yield View(over="", below="", message=message(_first_line(error)))
        return
    finally:
        ticket.cancel()
    yield _last(wanted, outcome, walks, time.perf_counter() - started)


def _until_done(
    ticket: Under, events: queue.SimpleQueue[Event], walks: Walks, paced: bool
) -> Generator[tuple[Walk | None, Event], None, None]:
    """Events as they come, each noted in its walk, until the ticket is done and all are told."""
    while True:
        try:
            event = events.get(timeout=_WAIT)
        except queue.Empty:
            if ticket.done and events.empty():
                return
            continue
        walk = walks.take(event)
        waiting = events.qsize()
        if isinstance(event, Visited):
            yield walk, event
            if paced:
                time.sleep(min(_STEP_SECONDS, _LAG_SECONDS / (waiting + 1)))
        else:
            yield walk, event


def _last(wanted: Wanted, outcome: object, walks: Walks, seconds: float) -> View:
    """The picture with the verdict, the answer, and what is kept of it."""
    if isinstance(outcome, Answer):
        walks.end(outcome.searches)
        card = answer_card(outcome, wanted.options, wanted.image)
        said = outcome.text
    else:
        assert isinstance(outcome, list)
        walks.end(outcome)
        card = found_card(walks.in_order, wanted.image)
        said = " ".join(map(verdict, walks.in_order))
    over, below = overlay(wanted.image.size, walks.in_order), controls(walks.in_order)
    entry = Entry(
        wanted=wanted,
        said=said,
        over=over,
        below=below,
        card=card,
        seconds=seconds,
        when=datetime.now().astimezone(),
    )
    return View(over=over, below=below, card=card, message="", entry=entry)


def message(text: str, *, kind: str = "") -> str:
    """One line for the person in front of the page."""
    if not text:
        return ""
    return f'<div class="seal"><p class="message {kind}" role="alert">{html.escape(text)}</p></div>'


def _planned(event: Planned) -> str:
    plan = event.plan
    if plan.targets:
        return f"To be searched for: {', '.join(plan.targets)} ..."
    return "Nothing has to be searched for: answering ..."


def _busy(text: str) -> str:
    return f'<p class="says" role="status"><span class="working"></span>{html.escape(text)}</p>'


def _stopped(walks: list[Walk]) -> str:
    visits = sum(len(walk.steps) for walk in walks)
    seen = f" after {visits} region{'' if visits == 1 else 's'}" if visits else ""
    return f"Stopped{seen}."


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:500] or type(error).__name__
