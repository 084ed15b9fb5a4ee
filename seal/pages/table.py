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
    notes: tuple[str, ...] = ()  # below it, one a line; cells may refer to them, as by "(1)"


def markdown(table: Table) -> str:
    """A GitHub table; columns padded so that it reads as plain text as well."""
    head, *body = [tuple(map(_one_line, row)) for row in (table.head, *table.rows)]
    rows = [head, *body]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.head))]

    def line(row: Sequence[str]) -> str:
        cells = [
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "| " + " | ".join(cells) + " |"

    rule = "|" + "|".join(
        "-" * (w + 2) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths)
    ) + "|"  # fmt: skip
    lines = [f"{table.title}", "", line(head), rule, *map(line, body)]
    if table.notes:
        # Two blanks end a line; without them the notes would run into one another.
        lines += ["", "  \n".join(map(_one_line, table.notes))]
    return "\n".join(lines)


def latex(table: Table) -> str:
    """A booktabs tabular, its notes in small print below."""
    body = [_row(row) for row in table.rows]
    notes = []
    if table.notes:  # the empty line ends the paragraph that the tabular is
        lines = " \\\\\n".join(_guarded(_escaped(note)) for note in table.notes)
        notes = ["", r"{\footnotesize", lines, r"\par}"]
    return "\n".join([
        f"% {' '.join(table.title.split())}",
        r"\begin{tabular}{l" + "r" * (len(table.head) - 1) + "}",
        r"\toprule",
        _row(table.head),
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
        *notes,
    ])  # fmt: skip


# What LaTeX would read as a command of its own.
_MARKS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "_": r"\_",
    "#": r"\#", "$": r"\$", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "\n": " ",
}  # fmt: skip


def _row(cells: Sequence[str]) -> str:
    return _guarded(" & ".join(map(_escaped, cells))) + r" \\"


def _guarded(line: str) -> str:
    """Behind the end of another line a bracket or a star would be an argument of that end."""
    return f"{{{line[0]}}}{line[1:]}" if line.startswith(("[", "*")) else line


def _one_line(cell: str) -> str:
    return " ".join(cell.split()).replace("|", "\\|")


def _escaped(cell: str) -> str:
    return "".join(_MARKS.get(letter, letter) for letter in cell)
