"""A table of text: programs print it, pages show it, papers typeset it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """Text cells; an empty one is a number that does not exist."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def markdown(table: Table) -> str:
    """A GitHub table; columns padded so that it reads as plain text as well."""
    rows = [table.head, *table.rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.head))]

    def line(row: Sequence[str]) -> str:
        cells = [
            cell.replace("|", "\\|").ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "| " + " | ".join(cells) + " |"

    rule = "|" + "|".join(
        "-" * (w + 2) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths)
    ) + "|"  # fmt: skip
    return "\n".join([f"{table.title}", "", line(table.head), rule, *map(line, table.rows)])


def latex(table: Table) -> str:
    """A booktabs tabular."""
    body = [" & ".join(map(_escaped, row)) + r" \\" for row in table.rows]
    return "\n".join([
        f"% {table.title}",
        r"\begin{tabular}{l" + "r" * (len(table.head) - 1) + "}",
        r"\toprule",
        " & ".join(map(_escaped, table.head)) + r" \\",
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
    ])  # fmt: skip


def _escaped(cell: str) -> str:
    for mark in ("&", "%", "_", "#", "$"):
        cell = cell.replace(mark, f"\\{mark}")
    return cell
