"""Tables as a view of metrics.json, published numbers beside the measured ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seal.pages.table import Table


def benchmark_table(metrics: Mapping[str, Any]) -> Table:
    """Accuracy of every system by split, and how it compares with the baseline."""
    systems: Mapping[str, Any] = metrics["systems"]
    splits = list(next(iter(systems.values()))) if systems else []
    compared = {name.partition("_vs_")[0]: value for name, value in metrics["paired"].items()}
    baselines = sorted({name.partition("_vs_")[2] for name in metrics["paired"]})
    head = ["system", *splits, "ties"]
    head += [f"vs {baseline} (p)" for baseline in baselines]
    rows = []
    for name, by_split in systems.items():
        row = [name, *(percent(by_split[split]["accuracy"]) for split in splits)]
        row.append(str(by_split[splits[-1]]["ties"]))
        if baselines:
            row.append(difference(compared.get(name, {}).get("overall")))
        rows.append(tuple(row))
    n = metrics["num_questions"]
    title = (
        f"{metrics['task']}, accuracy in percent over {n} questions "
        f"(protocol {metrics['protocol']}, scoring {metrics['scoring']})"
    )
    return Table(title, tuple(head), tuple(rows))


def free_answers_table(metrics: Mapping[str, Any]) -> Table:
    """Each system's credit as ViCrop counted it and by the benchmark's own rule, in percent."""
    systems: Mapping[str, Any] = metrics["systems"]
    columns = list(next(iter(systems.values()))["overall"])
    rows = []
    for name, by_split in systems.items():
        for split, of in by_split.items():
            label = name if split == "overall" else f"{name}, {split}"
            rows.append((label, *(percent(of[key]) for key in columns), str(of["standard"]["n"])))
    title = f"{metrics['task']}, percent over {metrics['num_questions']} questions"
    return Table(title, ("system", *columns, "n"), tuple(rows))


def search_table(metrics: Mapping[str, Any]) -> Table:
    """How each strategy finds the targets, and how many regions it looks at."""
    lengths = metrics["search_length"]
    reference = metrics["reference"]
    rows = []
    for name, of in metrics["strategies"].items():
        rows.append((
            name,
            percent(of["hit"]),
            percent(of["precision"]),
            percent(of["false_alarm"]),
            number(of["length"]),
            number(lengths.get("common", {}).get(name)),
            number(lengths.get("difference", {}).get(name), sign=True),
            number(of["model_calls"], 1),
        ))  # fmt: skip
    head = (
        "strategy", "found", "found boxes right", "false alarms", "length (own hits)",
        "length (all found)", f"minus {reference}", "model calls",
    )  # fmt: skip
    title = f"search for {metrics['num_targets']} targets"
    return Table(title, head, tuple(rows))


def need_search_table(metrics: Mapping[str, Any]) -> Table:
    """The same over the targets that a look at the whole image does not find (paper, table 4)."""
    needing = metrics["need_search"]
    reference, lengths = metrics["reference"], needing.get("search_length", {})
    rows = []
    for name, of in needing.get("strategies", {}).items():
        rows.append((
            name,
            percent(of["hit"]),
            number(of["length"]),
            str(of["length"]["n"]),
            number(lengths.get("common", {}).get(name)),
            number(lengths.get("difference", {}).get(name), sign=True),
            str(lengths.get("common", {}).get(name, {}).get("n", "")),
        ))  # fmt: skip
    head = (
        "strategy", "found", "length (own hits)", "n", "length (all found)", f"minus {reference}",
        "n of both",
    )  # fmt: skip
    title = f"of them {needing.get('num_targets', 0)} that need a search, by {reference}"
    return Table(title, head, tuple(rows))


def published_table(
    title: str,
    published: Mapping[str, Mapping[str, float]],
    measured: Mapping[str, Mapping[str, Any] | None],
    *,
    columns: Sequence[str],
    scale: float = 100.0,
    digits: int = 2,
) -> Table:
    """Rows of a published table beside what was measured.

    Args:
        published: row -> column -> number, as printed.
        measured: row -> column -> metric; a row or column that was not run stays empty.
        scale: from a stored metric to a printed number.
    """
    head = ["system"]
    for column in columns:
        head += [column, "published", "difference"]
    rows = []
    for name, numbers in published.items():
        row = [name]
        for column in columns:
            metric = (measured.get(name) or {}).get(column)
            row.append(_scaled(metric, scale, digits))
            row.append(f"{numbers[column]:.{digits}f}" if column in numbers else "")
            both = metric is not None and metric["value"] is not None and column in numbers
            row.append(
                f"{metric['value'] * scale - numbers[column]:+.{digits}f}"
                if both and metric is not None
                else ""
            )
        rows.append(tuple(row))
    return Table(title, tuple(head), tuple(rows))


def percent(metric: Mapping[str, Any] | None, digits: int = 1) -> str:
    """A stored fraction as `74.8 [70.1, 79.0]`; empty if there is none."""
    return _scaled(metric, 100.0, digits)


def number(metric: Mapping[str, Any] | None, digits: int = 2, *, sign: bool = False) -> str:
    """A stored mean with its interval; empty if there is none."""
    return _scaled(metric, 1.0, digits, sign=sign)


def _scaled(
    metric: Mapping[str, Any] | None, scale: float, digits: int, *, sign: bool = False
) -> str:
    if metric is None or metric["value"] is None:
        return ""
    plus = "+" if sign else ""
    text = f"{metric['value'] * scale:{plus}.{digits}f}"
    if metric["low"] is None:
        return text
    low, high = (f"{metric[end] * scale:{plus}.{digits}f}" for end in ("low", "high"))
    return f"{text} [{low}, {high}]"


def difference(comparison: Mapping[str, Any] | None) -> str:
    """What a paired comparison says: points of percent with their interval, and p."""
    if comparison is None:
        return ""
    metric = {k: v for k, v in comparison["difference"].items()}
    return f"{_scaled(metric, 100.0, 1, sign=True)} ({comparison['p_value']:.2g})"
