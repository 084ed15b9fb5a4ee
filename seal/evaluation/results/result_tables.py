"""Tables as a view of metrics.json, published numbers beside the measured ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seal.pages.table import Table

IN_POINTS = ("mme",)  # tasks whose main metric is no share
_MANY_SPLITS = 8  # more stand below one another, systems side by side


def benchmark_table(metrics: Mapping[str, Any]) -> Table:
    """The task's main metric of every system by split, and how it compares with the baseline.

    What is compared is the credit of single questions, whatever the main metric makes of it.
    """
    systems: Mapping[str, Mapping[str, Any]] = metrics["systems"]
    main, scale = main_metric(metrics), shown_scale(metrics)
    splits = list(dict.fromkeys(split for of in systems.values() for split in of))
    splits.sort(key="overall".__eq__)
    compared = {name.partition("_vs_")[0]: value for name, value in metrics["paired"].items()}
    baselines = sorted({name.partition("_vs_")[2] for name in metrics["paired"]})
    wholes = {name: by_split.get(splits[-1], {}) for name, by_split in systems.items()}
    waiting = {name: _not_judged(whole) for name, whole in wholes.items()}
    head = ["system", *splits, "n", "invalid", "ties"]
    head += ["not judged"] if any(waiting.values()) else []
    head += [f"{'' if main == 'accuracy' else 'credit '}vs {one} (p)" for one in baselines]
    rows = []
    for name, by_split in systems.items():
        whole = wholes[name]
        of = whole.get(main) or {}
        row = [name, *(scaled(by_split.get(split, {}).get(main), scale, 1) for split in splits)]
        row += [str(of.get("n", "")), str(of.get("invalid", "")), str(whole.get("ties", ""))]
        if any(waiting.values()):
            row.append(str(waiting[name]))
        if baselines:
            row.append(difference(compared.get(name, {}).get("overall")))
        rows.append(tuple(row))
    n, shown = metrics["num_questions"], main.replace("_", " ")
    unit = f"{shown} in percent" if scale == 100 else shown
    title = (
        f"{metrics['task']}, {unit} over {n} questions "
        f"(protocol {metrics['protocol']}, scoring {metrics['scoring']})"
    )
    if len(splits) <= _MANY_SPLITS:
        return Table(title, tuple(head), tuple(rows))
    names, *below = zip(head, *rows, strict=True)
    return Table(title, ("split", *names[1:]), tuple(below))


def _not_judged(whole: Mapping[str, Any]) -> int:
    """Answers that are in no number: no judge has graded them, or nobody knows what is right."""
    return int(whole.get("ungraded", whole.get("not_judged", 0)))


def answers_table(metrics: Mapping[str, Any]) -> Table:
    """Of answers: by their task's main metric, or in both of ViCrop's ways."""
    systems: Mapping[str, Any] = metrics["systems"]
    free = systems and "standard" in next(iter(systems.values())).get("overall", {})
    return free_answers_table(metrics) if free else benchmark_table(metrics)


def paired_table(paired: Mapping[str, Mapping[str, Any]]) -> Table:
    """Every paired comparison by split; `paired`: FIRST_vs_SECOND -> split -> comparison.

    In points of a hundred: what is compared is the credit of each question, from 0 to 1.
    """
    rows = []
    for name, by_split in paired.items():
        for split in sorted(by_split, key="overall".__eq__):
            of = by_split[split]
            first, _, second = name.partition("_vs_")
            if "difference" not in of:  # of free answers: one in each of ViCrop's ways, untested
                for way, metric in of.items():
                    told = (str(metric["n"]), percent_points(metric), *[""] * 5)
                    rows.append((f"{first} - {second}", f"{split}, {way}", *told))
                continue
            rows.append((
                f"{first} - {second}",
                split,
                str(of["difference"]["n"]),
                percent_points(of["difference"]),
                str(of["only_first"]),
                str(of["only_second"]),
                f"{of['p_value']:.2g}",
                name_of_test(of),
                _points(of.get("detectable")),
            ))  # fmt: skip
    head = (
        "systems", "split", "n", "difference", "first better", "second better", "p", "test",
        "detectable",
    )  # fmt: skip
    return Table(
        "two systems on the same questions, credit in points of a hundred", head, tuple(rows)
    )


def name_of_test(of: Mapping[str, Any]) -> str:
    """What the p-value of two systems is of."""
    return "sign flips" if of.get("test") == "sign_flip" else "McNemar, exact"


def detectable_table(detectable: Mapping[str, Mapping[str, Any]]) -> Table:
    """How small a difference a benchmark of this size can show, by split."""
    rows = [
        (
            split,
            str(of["n"]),
            str(of.get("clusters", "")),  # not in files of before
            f"{100 * of['discordant']:.0f}",
            *(_points(of.get(key)) for key in ("value", "at_worst")),
        )
        for split, of in sorted(detectable.items(), key=lambda one: one[0] == "overall")
    ]
    head = (
        "split", "n", "pictures", "one alone right, percent", "detectable, points",
        "if questions of a picture tell the same",
    )  # fmt: skip
    return Table("what two systems on these questions could show", head, tuple(rows))


def _points(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"


def main_metric(metrics: Mapping[str, Any]) -> str:
    """The metric that tables show."""
    return str(metrics.get("main", "accuracy"))


def shown_scale(metrics: Mapping[str, Any]) -> float:
    """From a stored number to a shown one: shares are percent, points stay what they are."""
    return 1.0 if metrics["task"] in IN_POINTS else 100.0


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
        "n (all found)",
    )  # fmt: skip
    title = f"of them {needing.get('num_targets', 0)} that need a search, by {reference}"
    return Table(title, head, tuple(rows))


def length_tests_table(metrics: Mapping[str, Any]) -> Table:
    """Search lengths minus the reference's, over the targets that all strategies found."""
    reference = metrics["reference"]
    rows = [
        (f"{name} - {reference}", str(of["n"]), number(of, sign=True))
        for name, of in metrics["search_length"]["difference"].items()
        if name != reference
    ]
    title = "regions looked at until the target was found, target by target"
    return Table(title, ("strategies", "n", "difference"), tuple(rows))


def percent(metric: Mapping[str, Any] | None, digits: int = 1) -> str:
    """A stored fraction as `74.8 [70.1, 79.0]`; empty if there is none."""
    return scaled(metric, 100.0, digits)


def number(metric: Mapping[str, Any] | None, digits: int = 2, *, sign: bool = False) -> str:
    """A stored mean with its interval; empty if there is none."""
    return scaled(metric, 1.0, digits, sign=sign)


def scaled(
    metric: Mapping[str, Any] | None, scale: float, digits: int, *, sign: bool = False
) -> str:
    """A stored number times `scale`, with its interval; empty if there is none.

    The interval of a share has at most one decimal: more would say nothing.
    """
    if metric is None or metric["value"] is None:
        return ""
    plus = "+" if sign else ""
    text = f"{metric['value'] * scale:{plus}.{digits}f}"
    if metric["low"] is None:
        return text
    rough = digits if scale == 1 else min(digits, 1)
    low, high = (f"{metric[end] * scale:{plus}.{rough}f}" for end in ("low", "high"))
    return f"{text} [{low}, {high}]"


def difference(comparison: Mapping[str, Any] | None) -> str:
    """What a paired comparison says: points of percent with their interval, and p."""
    if comparison is None:
        return ""
    return f"{percent_points(comparison['difference'])} ({comparison['p_value']:.2g})"


def percent_points(metric: Mapping[str, Any]) -> str:
    """A stored difference of shares, with its sign."""
    return scaled(metric, 100.0, 1, sign=True)
