"""What was asked on the page in one visit, and the one file that shows it to others."""

from __future__ import annotations

import html
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from seal.app.form import Wanted
from seal.app.look import SCRIPT, STYLE
from seal.app.stage import shown_picture
from seal.app.words import GLOSSARY
from seal.pages.page import Page
from seal.version import __version__

MOST_ENTRIES = 20  # that one visitor's page keeps


@dataclass(slots=True)
class Entry:
    """One question or search, over and done. `over`, `below` and `card` are HTML."""

    wanted: Wanted
    said: str  # the answer, or the verdicts, as text
    over: str
    below: str
    card: str
    seconds: float
    when: datetime

    @property
    def label(self) -> str:
        """In the list of what was asked."""
        title = self.wanted.title
        said = self.said if len(self.said) <= 80 else self.said[:77] + "..."
        return f"{title if len(title) <= 90 else title[:87] + '...'} — {said}"


def session_page(entries: Sequence[Entry], models: Mapping[str, str]) -> Page:
    """One page of all entries, the latest first: it needs no other file and no network.

    models: what answered and searched, by their roles.
    """
    page = Page(
        "Show, search and tell",
        "Each picture was searched for what the question needs: go through the steps with the "
        "slider below it.",
    )
    page.markup(f"<style>{STYLE}</style>")
    for entry in reversed(entries):
        page.heading(entry.wanted.title)
        page.markup(entry_markup(entry))
        page.note(_facts(entry))
    page.heading("What the words mean")
    rows = (f"<p><b>{html.escape(k)}</b>: {html.escape(v)}</p>" for k, v in GLOSSARY.items())
    page.markup(f'<div class="seal">{"".join(rows)}</div>')
    page.heading("Made with")
    versions = {name: version(name) for name in ("torch", "transformers")}
    page.facts({**models, "seal": __version__, **versions})
    page.markup(f"<script>{SCRIPT}</script>")
    return page


def entry_markup(entry: Entry) -> str:
    """The picture with its search, and the answer."""
    return (
        '<div class="seal seal-view">'
        f'<div class="seal-stage">{shown_picture(entry.wanted.image)}{entry.over}</div>'
        f"{entry.below}</div>"
        f'<div class="seal">{entry.card}</div>'
    )


def save_session(entries: Sequence[Entry], models: Mapping[str, str], folder: Path) -> Path:
    """Write the page of the entries into a folder in `folder`; returns its path.

    Whoever knows the path is served the file: nobody can guess it, and two visitors who ask in the
    same second have one each.
    """
    stamp = entries[-1].when.strftime("%Y%m%d-%H%M%S")
    own = folder / secrets.token_hex(16)
    own.mkdir()
    return session_page(entries, models).write(own / f"seal-session-{stamp}.html")


def _facts(entry: Entry) -> str:
    way = entry.wanted.way
    limits = (
        ""
        if way.budget is None
        else ", ".join(f"{value:g} {name}" for name, value in way.budget.limits.items())
    )
    parts = [
        f"{entry.wanted.name}, {entry.wanted.image.width} x {entry.wanted.image.height} pixels",
        f"search {way.search}" + (" (one walk)" if way.one_walk else ""),
        f"budget {limits}" if limits else "",
        f"answered by {way.model}" if way.model and entry.wanted.question else "",
        entry.when.strftime("%Y-%m-%d %H:%M"),
    ]
    return ", ".join(part for part in parts if part)
