"""Runs what is asked, and tells of it: a ticket for each question, whoever asks."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, Future
from typing import Any

from seal.app.form import Wanted
from seal.app.models import Models
from seal.pipeline import Answer, Seal
from seal.pipeline.events import Event, OnEvent
from seal.pipeline.telling import Telling
from seal.search.locator import LocateRequest
from seal.search.result import SearchResult

Outcome = "Answer | list[SearchResult]"


class Ticket:
    """One question under way."""

    def __init__(self) -> None:
        self._future: Future[Any] = Future()
        self._cancelled = threading.Event()

    @property
    def done(self) -> bool:
        return self._future.done()

    def cancel(self) -> None:
        self._cancelled.set()

    def result(self, timeout: float | None = None) -> Any:
        return self._future.result(timeout)


class Turns:
    def __init__(self, models: Models) -> None:
        self.models = models
        self._turn = threading.Lock()

    def submit(self, wanted: Wanted, on_event: OnEvent) -> Ticket:
        ticket = Ticket()

        def tell(event: Event) -> None:
            if ticket._cancelled.is_set():
                raise CancelledError
            on_event(event)

        def run() -> None:
            try:
                seal = self.models.seal(wanted.way)
                with self._turn:
                    if ticket._cancelled.is_set():
                        raise CancelledError
                    ticket._future.set_result(_run(seal, wanted, tell))
            except BaseException as error:
                ticket._future.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        return ticket

    def close(self) -> None:
        """Take no more."""

    def __enter__(self) -> Turns:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _run(seal: Seal, wanted: Wanted, tell: OnEvent) -> Answer | list[SearchResult]:
    if wanted.question:
        return seal.ask(
            wanted.image, wanted.question, wanted.options, wanted.targets or None, on_event=tell
        )
    locator = seal.locator
    if locator is None:
        raise ValueError("search none looks for nothing: choose another search, or ask a question")
    requests = [LocateRequest(wanted.image, target) for target in wanted.targets]
    owners = [(0, place) for place in range(len(requests))]
    return Telling([tell]).locate(locator, requests, owners)
