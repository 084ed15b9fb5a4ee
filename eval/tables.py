"""Print a table: measured, published, difference and interval side by side.

    seal eval/tables table=vstar_bench
    seal eval/tables table=search_length format=latex out=table3.tex
    seal eval/tables compare=[runs/a:guided,runs/b:guided]     # paired tests, by split

The tables of the paper are conf/table/; each names the runs that measure its rows. A number that
was not measured or not published stays empty. Another run: table.rows.SEAL.run=FOLDER
"""

from __future__ import annotations

from pathlib import Path

from seal.evaluation.published import TablesRun
from seal.evaluation.store import write_text
from seal.pages.table import latex, markdown
from seal.schema import program


@program("tables", TablesRun)
def main(run: TablesRun) -> None:
    show = latex if run.format == "latex" else markdown
    text = "\n\n".join(show(table) for table in run.build())
    if run.out is None:
        print(text)
        return
    write_text(Path(run.out), text + "\n")
    print(f"written: {run.out}")


if __name__ == "__main__":
    main()
