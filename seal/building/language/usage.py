"""What a language model was asked and what it cost: the line a builder ends with."""

from __future__ import annotations

import sys
from typing import Any, Protocol

from seal.building.language.unwritten_records import LanguageModel


class ReportingModel(LanguageModel, Protocol):
    """A language model that counts."""

    def report(self) -> dict[str, Any]:
        """Counts of this run, `Usage`'s; empty where nothing is sent. Not for `set.json`."""
        ...


def print_usage(model: ReportingModel) -> None:
    """One line on stderr, if the model has anything to report."""
    if report := model.report():
        facts = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in report.items())
        print(f"language model: {facts}", file=sys.stderr)
