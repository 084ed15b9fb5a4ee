"""What is told while a search runs: on a terminal, in a log, and to nobody."""

from __future__ import annotations

import io
import time

import pytest

from seal.commands import progress as module
from seal.commands.progress import Progress, SearchWords
from seal.geometry import Box
from seal.pipeline.events import Planned, Searched, Visited
from seal.pipeline.planner.plan import given_plan
from seal.search.result import SearchResult
from seal.search.tree import SearchNode

ROOT = SearchNode(Box(0, 0, 800, 600), confidence=0.1)
PART = SearchNode(Box(400, 300, 600, 450), depth=3, parent=ROOT, confidence=0.05)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def ended(target: str) -> Searched:
    result = SearchResult(target=target, strategy="guided", found=False, boxes=[], scores=[])
    return Searched(0, result)


def test_a_search_is_told_by_its_regions_where_it_is_and_its_best():
    words = SearchWords()
    assert words.after(Planned(given_plan(["mug", "boat"]))) == "searching for mug, boat"
    told = words.after(Visited("mug", 0, 1, ROOT))
    assert told == "mug: 1 region, now the whole image, best 0.10"
    words.after(Visited("boat", 1, 1, ROOT))
    told = words.after(Visited("mug", 0, 2, PART))
    assert told == "mug: 2 regions; boat: 1 region, now 1/16 of the image at (400, 300), best 0.10"
    assert words.after(ended("mug")) == "mug: 2 regions; boat: 1 region"
    assert words.after(ended("boat")) == "answering"


def test_a_terminal_shows_one_line_that_is_gone_at_the_end(monkeypatch):
    monkeypatch.setattr(module, "REDRAWN", 0.01)
    monkeypatch.setenv("COLUMNS", "40")
    stream = Terminal()
    with Progress(stream=stream) as progress:
        progress.say("loading the models")
        progress.tell("a line that stays")
        progress.on_event(Visited("\u6c34" * 30, 0, 1, ROOT))
        before = stream.tell()
        time.sleep(0.05)
        assert stream.tell() > before  # the clock moves
    shown = stream.getvalue()
    assert shown.endswith("\r\x1b[K") and "a line that stays\n" in shown
    assert "\u6c34" * 19 in shown and "\u6c34" * 20 not in shown  # two columns each, of 39


def test_a_log_has_a_line_now_and_then_and_a_quiet_one_nothing(monkeypatch):
    monkeypatch.setattr(module, "REPEATED", 0.02)
    for quiet in (False, True):
        stream = io.StringIO()
        with Progress(stream=stream, quiet=quiet) as progress:
            progress.say("loading the models")
            progress.tell("a line")
            time.sleep(0.1)
        lines = stream.getvalue().splitlines()
        assert lines[:1] == ([] if quiet else ["a line"])
        assert all(line.startswith("loading the models (") for line in lines[1:])
        assert bool(lines[1:]) != quiet


def test_what_a_search_raises_takes_the_line_away():
    stream = Terminal()
    with pytest.raises(KeyboardInterrupt), Progress(stream=stream) as progress:
        progress.say("searching")
        raise KeyboardInterrupt
    assert stream.getvalue().endswith("\r\x1b[K")
