"""Skip, fail and count the tests that compare with the golden vectors.

`@pytest.mark.goldens(GROUP, ...)`: the test compares with GROUP, and reads files of further groups
if it names any. At the end, the compared cases of each group are printed: a test is one case, or as
many as it drew from `each_golden` or `counted`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from typing import Any

import pytest
from golden_files import GOLDENS, GROUPS, Count, what_is_wrong, why_skipped

MARK = "goldens"
OUTCOMES = ("passed", "failed", "skipped")
_cases: dict[str, Counter[str]] = {}  # in the process that reports


def _groups(item: pytest.Item) -> tuple[str, ...]:
    marker = item.get_closest_marker(MARK)
    return () if marker is None else marker.args


def cases_of(outcome: str, looked_at: int) -> dict[str, int]:
    """Cases of one test: those it looked at before the one that failed have passed."""
    if outcome == "failed":
        return {"passed": max(looked_at - 1, 0), "failed": 1}
    return {outcome: max(looked_at, 1) if outcome == "passed" else 1}


def table(cases: dict[str, Counter[str]]) -> list[str]:
    """One line a group, and the sum."""
    total = sum(cases.values(), Counter[str]())
    rows = [*((group, cases[group]) for group in GROUPS if group in cases), ("all", total)]
    head = "".join(f"{outcome:>9}" for outcome in OUTCOMES)
    lines = [f"{group:<16}" + "".join(f"{n[o]:>9}" for o in OUTCOMES) for group, n in rows]
    return [f"{'group':<16}{head}", *lines]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        groups = _groups(item)
        if item.get_closest_marker(MARK) is not None and not groups:
            raise pytest.UsageError(f"{item.nodeid}: name the golden group: goldens('losses')")
        if not set(groups) <= GROUPS.keys():
            known = ", ".join(GROUPS)
            raise pytest.UsageError(f"{item.nodeid}: golden groups {groups}; known: {known}")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    Count.cases = 0
    for group in _groups(item):
        reason = why_skipped(group)
        if reason is not None:
            pytest.skip(reason)
        wrong = what_is_wrong(group)
        if wrong is not None:
            pytest.fail(wrong, pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    groups = _groups(item)
    if groups and (report.when == "call" or (report.when == "setup" and not report.passed)):
        found: Any = {"group": groups[0], **cases_of(report.outcome, Count.cases)}
        report.user_properties.append((MARK, found))  # travels from an xdist worker
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    for name, found in report.user_properties:
        if name == MARK and report.when != "teardown":
            counter = _cases.setdefault(found["group"], Counter())
            counter.update({outcome: found.get(outcome, 0) for outcome in OUTCOMES})


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if _cases:
        terminalreporter.section(f"cases compared with the goldens in {GOLDENS}")
        for line in table(_cases):
            terminalreporter.write_line(line)
