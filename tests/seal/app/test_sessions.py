"""Saved sessions: each visitor's own, where nobody else finds it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image

from seal.app.asking import ask
from seal.app.form import Wanted
from seal.app.sessions import Entry, save_session
from seal.app.ways import Way


def entry(question: str) -> Entry:
    wanted = Wanted(
        image=Image.new("RGB", (9, 9)), name="a.png", question=question,
        way=Way("miniature/vqa", "guided"),
    )  # fmt: skip
    return Entry(wanted, "said", "", "", "", 1.0, datetime(2026, 1, 2, tzinfo=UTC))


def test_sessions_of_the_same_second_are_apart_and_nobody_guesses_where(tmp_path: Path) -> None:
    mine, theirs = (save_session([entry(text)], {}, tmp_path) for text in ("Mine?", "Theirs?"))
    assert mine != theirs and mine.name == theirs.name
    assert "Mine?" in mine.read_text() and "Mine?" not in theirs.read_text()
    assert all(len(path.relative_to(tmp_path).parts[0]) == 32 for path in (mine, theirs))


def test_what_is_refused_at_the_desk_is_told_in_a_line() -> None:
    def full(wanted: Wanted, on_event: object) -> Any:
        raise RuntimeError("256 wait already")

    views = list(ask(full, entry("Why?").wanted, paced=False, begun=lambda ticket: None))
    assert len(views) == 1 and "256 wait already" in (views[0].message or "")
