"""How a run's page and output tell which levels were chosen, and what the choice is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seal.evaluation.results.chosen_levels import ALL, forced_level
from seal.evaluation.results.granularity import HINDSIGHT, RANDOM
from seal.evaluation.results.result_tables import (
    difference,
    name_of_test,
    number,
    percent,
    percent_points,
)
from seal.metrics.paired import SIGN_FLIP
from seal.pages.page import Page
from seal.pages.stacked import Bar, stacked
from seal.pages.table import Table

_CAPTION = (
    "Which level of visual tokens was chosen, of all questions of a kind; the number behind a bar "
    "is how many there are. A level counts the tokens of one tile."
)


def add_granularity(page: Page, metrics: Mapping[str, Any]) -> None:
    """The part of a run's page that its `levels` and `granularity` make; nothing without them."""
    told, compared = metrics.get("levels", {}), metrics.get("granularity", {})
    if not told and not compared:
        return
    page.subheading("Granularity")
    for table in granularity_tables(metrics):
        page.table(table)
    for line in granularity_verdicts(metrics):
        page.note(line)
    figures = [
        (level_picture(of, which), f"{name}: {what}")
        for name, of in told.items()
        for which, what in (("whole", "the whole image"), ("crops", "crops"))
        if any(of["kinds"][ALL][ALL][which].values())
    ]
    if figures:
        page.sheet(figures, wide=True)
        page.note(_CAPTION)
    for name, of in told.items():
        page.table(levels_table(name, of))


def granularity_tables(metrics: Mapping[str, Any]) -> list[Table]:
    """One of each system that chooses: it, all fixed levels, chance and hindsight, side by side."""
    tables = []
    for name, of in metrics.get("granularity", {}).items():
        beside = of["finest"] or next(iter(of["versus"]))
        whole = of["systems"][beside]["visual_tokens"]["value"]
        rows = []
        for other, told in of["systems"].items():
            tokens = told["visual_tokens"]
            part = ""
            if tokens["value"] is not None and whole:
                part = f"{100 * tokens['value'] / whole:.1f}"
            against = of["versus"].get(other)
            if other == RANDOM:
                against = of["random"]["versus"]
            rows.append((
                other,
                percent(told["credit"]),
                _plain(tokens, 1),
                part,
                _plain(told["seconds"], 3),
                difference(against),
            ))  # fmt: skip
        head = (
            "system", "credit, percent", "visual tokens", f"percent of {beside}'s", "seconds",
            f"{name} minus it (p)",
        )  # fmt: skip
        title = f"{name} beside other ways to show the same pictures, over {of['n']} questions"
        tables.append(Table(title, head, tuple(rows)))
    return tables


def _plain(metric: Mapping[str, Any], digits: int) -> str:
    """A mean without its interval."""
    return "" if metric["value"] is None else f"{metric['value']:.{digits}f}"


def granularity_verdicts(metrics: Mapping[str, Any]) -> list[str]:
    """A plain line for each thing that the comparison says."""
    lines = []
    for name, of in metrics.get("granularity", {}).items():
        for other, compared in of["versus"].items():
            if other == of["finest"] or forced_level(other) is None:
                called = f"{other}, always the finest" if other == of["finest"] else other
                told, read = difference(compared), _tokens_of(compared, other)
                lines.append(f"{name} minus {called}: {told} points of credit{read}")
        random = of["random"]
        if "reason" in random:
            lines.append(f"{name} cannot be compared with a random router: {random['reason']}")
            continue
        versus, permuted = random["versus"], random["permuted"]
        lines.append(
            f"{name} minus a random router of the same mean cost: {difference(versus)} "
            f"points ({name_of_test(versus)}){_tokens_of(versus, 'its')}"
        )
        exact = permuted["mcnemar_p_value"]
        flipped = exact is not None and permuted["test"] == SIGN_FLIP
        p = f"; McNemar, as if questions were unrelated, {exact:.2g}" if flipped else ""
        lines.append(
            f"{name} minus its own levels shuffled over the questions, one draw: "
            f"{percent_points(permuted['difference'])} points (p {permuted['p_value']:.2g}, "
            f"{name_of_test(permuted)}{p})"
        )
        best = of["systems"][HINDSIGHT]
        lines.append(
            f"{HINDSIGHT}: {percent(best['credit'])} percent"
            + (f" with {told} visual tokens" if (told := number(best["visual_tokens"], 1)) else "")
        )
    for name, of in metrics.get("levels", {}).items():
        trend = of["size"]
        if trend is not None and trend["value"] is not None:
            lines.append(
                f"{name}: rank correlation of the whole image's level with the size of what is "
                f"asked {number(trend, sign=True)} over {trend['n']} questions (below zero: finer "
                "levels for smaller things)"
            )
    return lines


def _tokens_of(compared: Mapping[str, Any], whose: str) -> str:
    if compared["tokens"] is None:
        return ""
    owner = whose if whose == "its" else f"{whose}'s"
    return f", reading {percent(compared['tokens'])} percent of {owner} visual tokens"


def level_picture(of: Mapping[str, Any], which: str) -> str:
    """Stacked bars as SVG: the share of each level by kind; `which`: whole | crops."""
    groups: dict[str, Sequence[Bar]] = {}
    for by, kinds in of["kinds"].items():
        groups["" if by == ALL else by] = [
            Bar(kind, tuple(told[which][str(level)] for level in of["levels"]))
            for kind, told in kinds.items()
            if any(told[which].values())
        ]
    return stacked({by: bars for by, bars in groups.items() if bars}, list(map(str, of["levels"])))


def levels_table(name: str, of: Mapping[str, Any]) -> Table:
    """The same in numbers, with the visual tokens of a question."""
    crops = any(of["kinds"][ALL][ALL]["crops"].values())
    which = ("whole", "crops") if crops else ("whole",)
    rows = []
    for by, kinds in of["kinds"].items():
        for kind, told in kinds.items():
            shares = [_share(told[one], level) for one in which for level in of["levels"]]
            label = kind if by == ALL else f"{by}: {kind}"
            rows.append((label, str(told["n"]), *shares, _plain(told["visual_tokens"], 1)))
    columns = [
        f"{level}, percent" if one == "whole" else f"crops at {level}"
        for one in which
        for level in of["levels"]
    ]
    head = ("questions", "n", *columns, "visual tokens")
    return Table(f"levels that {name} chose, by kind of question", head, tuple(rows))


def _share(counts: Mapping[str, int], level: int) -> str:
    whole = sum(counts.values())
    return f"{100 * counts[str(level)] / whole:.1f}" if whole else ""
