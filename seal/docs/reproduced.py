"""What reproduces what: each table of `conf/table`, and the command that measures each row."""

from __future__ import annotations

from seal.commands.programs import programs_root
from seal.evaluation.tables.published import TablesRun
from seal.evaluation.tables.table_config import TableConfig
from seal.schema import compose


def reproduced() -> str:
    """Each table under its own heading."""
    tables = compose(programs_root() / "conf", "tables", TablesRun, ["table=all"]).tables
    told = "\n\n".join(_told(name, table) for name, table in tables.items())
    return told.replace("V*", "V\\*")  # no emphasis begins there


def commands(table: TableConfig) -> dict[str, dict[str, list[str]]]:
    """Command -> row -> the columns that it measures there, in the order of the table."""
    found: dict[str, dict[str, list[str]]] = {}
    for row in table.rows:
        for column in table.columns:
            command = table.command_of(row, column)
            if command is not None:
                found.setdefault(command, {}).setdefault(row, []).append(column)
    return found


def _told(name: str, table: TableConfig) -> str:
    printed = f"Printed by `seal eval/tables table={name}`."
    lines = [f"### {table.title}", "", f"{table.source}. {printed}"]
    measured = commands(table)
    if not measured:
        return "\n".join([*lines, "", "Published numbers alone: no row is a run of ours."])
    lines += ["", "| command | measures |", "|---|---|"]
    for command, rows in measured.items():
        of = [f"{row} ({', '.join(columns)})" for row, columns in rows.items()]
        if len({tuple(columns) for columns in rows.values()}) == 1:
            columns = next(iter(rows.values()))
            of = [", ".join(rows) + (f": {', '.join(columns)}" if len(columns) < 6 else "")]
        lines.append(f"| `{command}` | {'; '.join(of)} |")
    shown = [row for row, of in table.rows.items() if of.miniature]
    if shown:
        rows_told = ", ".join(shown)
        lines += ["", f"`make demo` measures the same rows in miniature: {rows_told}."]
    return "\n".join(lines)
