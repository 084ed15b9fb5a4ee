"""report.html while a demo runs: what its stages have left so far, and how long the rest takes."""

from __future__ import annotations

import html
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seal.miniature.report_pictures import (
    add_best_search,
    add_charts,
    add_losses,
    add_scenes,
    searches_of,
)
from seal.miniature.stage import Stage
from seal.miniature.time_left import Progress, time_left, told
from seal.pages.page import Page

REFRESH_SECONDS = 15
FIRST_LOOK = "first_look"  # the stage in which the shipped models search, before these are trained
_EVALUATIONS = ("benchmark", "benchmark_no_crops", "search")


@dataclass(slots=True)
class GrowingReport:
    """Writes the page of a run in `out` again and again, until the finished one takes its place."""

    out: Path
    title: str
    about: str  # a sentence: what is done here
    words: Mapping[str, str]  # stage -> what it does
    started: float = field(default_factory=time.monotonic)
    _drawn: dict[str, str] = field(default_factory=dict)

    def write(self, progress: Progress) -> Path:
        """Write the page of this moment."""
        page = Page(f"{self.title}: being made", refresh=REFRESH_SECONDS)
        page.markup(f'<p class="lead">{self._lead(progress)}</p>')
        page.markup(self._stages(progress))
        self._add_searches(page, progress)
        found = {
            name: _read(self.out / "results" / name / "metrics.json")
            for name in _EVALUATIONS
            if name in progress.done
        }
        if found:
            page.heading("Measured so far")
            add_charts(page, found)
        page.heading("Losses so far")
        add_losses(page, self.out / "runs", [stage.name for stage in progress.stages])
        return page.write(self.out / "report.html")

    def _lead(self, progress: Progress) -> str:
        ran = told(time.monotonic() - self.started)
        left = told(time_left(progress))
        return (
            f"{html.escape(self.about)} Running for {ran}; about <b>{left}</b> left. This page "
            "reads itself again until it is finished."
        )

    def _stages(self, progress: Progress) -> str:
        items = "".join(f"<li>{self._state(stage, progress)}</li>" for stage in progress.stages)
        return f'<ul aria-label="stages">{items}</ul>'

    def _state(self, stage: Stage, progress: Progress) -> str:
        words = html.escape(self.words.get(stage.name, stage.name))
        if stage.name in progress.done:
            return f'<b class="good">done</b> {words} ({progress.done[stage.name]:.0f} s)'
        if (running := progress.running.get(stage.name)) is None:
            return f'<span class="note">{words}</span>'
        bar = ""
        if running.share is not None:
            bar = (
                f' <progress max="100" value="{100 * running.share:.0f}" '
                f'aria-label="{words}"></progress> {running.share:.0%}'
            )
        return f"<b>{words}</b>{bar}"

    def _add_searches(self, page: Page, progress: Progress) -> None:
        """The newest search there is to look at, and what the models are taught with."""
        if "search" in progress.done:
            page.heading("A search by the model trained just now")
            page.markup(self._once("search", self._best_search))
        elif FIRST_LOOK in progress.done:
            page.heading("What is trained here: to search for something small")
            page.text("This search is by the small models that ship with the package.")
            page.markup(self._once(FIRST_LOOK, self._best_search))
        if "scenes" in progress.done:
            page.heading("What the models are taught with")
            page.markup(self._once("scenes", self._scenes))

    def _best_search(self, stage: str) -> str:
        part = Page("")
        searches = searches_of(self.out / "results" / stage)
        add_best_search(part, searches, self.out / "data" / "benchmark")
        return part.inside

    def _scenes(self, _: str) -> str:
        part = Page("")
        add_scenes(part, self.out / "data")
        return part.inside

    def _once(self, stage: str, draw: Callable[[str], str]) -> str:
        """What `draw` makes of a finished stage: drawn once, for other stages run meanwhile."""
        if stage not in self._drawn:
            self._drawn[stage] = draw(stage)
        return self._drawn[stage]


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
