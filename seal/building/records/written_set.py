"""Build a set whose sentences a language model writes, and say what that took."""

from __future__ import annotations

from typing import Any

from seal.building.language.unwritten_records import Finish, Keep, TextWriter
from seal.building.language.usage import ReportingModel, print_usage
from seal.building.records.writer import BuildConfig, Make, build_set
from seal.data.record_set import RecordSet


def build_written_set(
    config: BuildConfig,
    make: Make,
    num_items: int,
    *,
    builder: str,
    model: ReportingModel,
    finish: Finish,
    settings: dict[str, Any],
    counts: dict[str, int] | None = None,
    keep: Keep | None = None,
) -> RecordSet:
    """`build_set` for drafts that `model` answers and `finish` makes records of.

    What the model is goes into `settings`, and what it was asked is printed at the end.
    """
    records = build_set(
        config,
        make,
        num_items,
        builder=builder,
        settings={**settings, "language": model.settings()},
        counts=counts,
        write=TextWriter(model, finish),
        keep=keep,
    )
    print_usage(model)
    return records
