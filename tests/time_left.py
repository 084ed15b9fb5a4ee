"""Say during a long run of the tests how many are done and about how long the rest takes."""

from __future__ import annotations

import time
from typing import Any

import pytest

FEWEST = 100  # tests; a shorter run is over before anybody wonders
PARTS = 10  # lines in a run


def is_due(done: int, total: int) -> bool:
    """Whether the test that was just finished completes another tenth, other than the last."""
    return total >= FEWEST and done < total and done * PARTS // total > (done - 1) * PARTS // total


def progress(done: int, total: int, seconds: float) -> str:
    """The line; the rest is taken to need as long a test as those that are done."""
    left = seconds / done * (total - done)
    return f"{done} of {total} tests done in {seconds:.0f} s, about {left:.0f} s left"


class TimeLeft:
    """Counts in the process that reports: under xdist that is not the one that collects."""

    def __init__(self, config: pytest.Config, reporter: Any) -> None:
        self.reporter, self.terminal = reporter, config.get_terminal_writer()
        self.total = self.done = 0
        self.began = 0.0

    def _begin(self, total: int) -> None:
        if not self.total:  # a worker that stands in for a crashed one collects again
            self.total, self.began = total, time.monotonic()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._begin(len(session.items))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self._begin(len(ids))  # every worker has collected the same tests

    def pytest_runtest_logfinish(self) -> None:
        self.done += 1
        if is_due(self.done, self.total):
            said = progress(self.done, self.total, time.monotonic() - self.began)
            self.reporter.ensure_newline()
            if self.terminal.width_of_current_line:  # dots of xdist
                self.reporter.write("\n")
            self.reporter.write_line(said)
            self.reporter.flush()


@pytest.hookimpl(trylast=True)  # behind the plugin that makes the reporter
def pytest_configure(config: pytest.Config) -> None:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and not hasattr(config, "workerinput"):  # an xdist worker is silent
        config.pluginmanager.register(TimeLeft(config, reporter))
