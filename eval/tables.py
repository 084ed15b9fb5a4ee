"""Print tables: measured, published, difference and interval side by side.

    seal eval/tables table=vstar_bench
    seal eval/tables table=search_length out=table3.tex
    seal eval/tables table=all format=html out=tables/         # a page with costs and pictures
    seal eval/tables table=all miniature=runs/demo format=html out=tables/    # and the demo's own
    seal eval/tables table=all groups.13b=runs_13b             # other runs of the same names
    seal eval/tables runs=[runs/a,runs/b] out=runs.html        # any runs, in one picture a cost
    seal eval/tables compare=[runs/a:guided,runs/b:guided]     # paired tests, by split

The tables are conf/table/: those of SEAL's paper, of ViCrop's and AVG-LLaVA's, and of the field
since. Each names the runs that measure its rows; another run: table.rows.SEAL.run=FOLDER. A number
that was not measured or not published stays empty, and the page says which command measures it.
format= is markdown, latex or html (or what out= ends in); out= a file, or a folder for a file a
table.
"""

from __future__ import annotations

from seal.evaluation.tables.published import TablesRun, write_tables
from seal.pages.table import latex, markdown
from seal.schema import program


@program("tables", TablesRun)
def main(run: TablesRun) -> None:
    if run.out is None:
        show = latex if run.format == "latex" else markdown
        print("\n\n".join(show(filled.table) for filled in run.build().values()))
        return
    for path in write_tables(run):
        print(f"written: {path}")


if __name__ == "__main__":
    main()
