"""The page of a running demo shows what there is so far, and never waits for what there is not."""

from __future__ import annotations

import re

import pytest

from seal.miniature.demo import told_once
from seal.miniature.growing_report import FIRST_LOOK, GrowingReport
from seal.miniature.stage import Stage
from seal.miniature.time_left import Progress, Running

LANES = [[Stage("scenes", (), 30.0), Stage("vsm", (), 60.0)], [Stage(FIRST_LOOK, (), 5.0)]]
WORDS = {"scenes": "drawing <scenes>", "vsm": "training", FIRST_LOOK: "a first look"}


@pytest.fixture
def report(tmp_path):
    return GrowingReport(tmp_path, "SEAL", "Things & models.", WORDS)


def test_at_first_it_tells_what_will_be_done_and_how_long_it_takes(report):
    text = report.write(Progress(LANES, {}, {"scenes": Running(3.0)})).read_text()
    assert 'http-equiv="refresh"' in text and "SEAL: being made" in text
    assert "Things &amp; models." in text and "about <b>90 seconds</b> left" in text
    assert re.findall(r"<li>.*?</li>", text)[0] == "<li><b>drawing &lt;scenes&gt;</b></li>"
    assert text.count("<li>") == 3 and "data:image" not in text


def test_a_running_stage_shows_how_far_it_is(report):
    text = report.write(Progress(LANES, {"scenes": 20.0}, {"vsm": Running(9.0, 0.42)})).read_text()
    assert '<progress max="100" value="42" aria-label="training">' in text and "42%" in text
    assert "drawing &lt;scenes&gt; (20 s)" in text


def test_losses_are_drawn_while_they_are_written(report, tmp_path):
    log = tmp_path / "runs" / "vsm" / "metrics.jsonl"
    log.parent.mkdir(parents=True)
    log.write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "loss": 1.0}\n{"step": 3, "lo')
    text = report.write(Progress(LANES, {}, {})).read_text()
    assert text.count('class="lines"') == 1 and "<b>vsm</b>" in text


def test_a_page_that_cannot_be_written_ends_no_run_and_is_told_once(capsys):
    def write(_):
        raise OSError("no space left")

    watch = told_once(write)
    watch(Progress([], {}, {}))
    watch(Progress([], {}, {}))
    assert capsys.readouterr().err.count("no space left") == 1
