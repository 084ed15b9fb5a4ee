"""Printed numbers beside measured ones: cells, footnotes, differences, and what fills the rest."""

from __future__ import annotations

import pytest

from seal.evaluation.store import write_json
from seal.evaluation.tables.measured import look_up, run_cell
from seal.evaluation.tables.published import TablesRun, write_tables
from seal.evaluation.tables.table_config import ColumnConfig, RowConfig, TableConfig
from seal.metrics.unpaired import difference_from

METRIC = {"value": 0.7539, "n": 191, "invalid": 0, "low": 0.688, "high": 0.81}
PATH = "systems.{system}.overall.{main}"


def results(**systems):
    """metrics.json of a run; system=share."""
    return {
        "task": "vstar_bench", "protocol": "default", "scoring": "likelihood",
        "num_questions": 191, "paired": {},
        "systems": {
            name: {"overall": {"accuracy": {**METRIC, "value": share}, "ties": 0}}
            for name, share in systems.items()
        },
    }  # fmt: skip


@pytest.fixture
def run(tmp_path):
    write_json(tmp_path / "run" / "metrics.json", results(guided=0.7539, none=0.45))
    return tmp_path / "run"


def table(run, rows=None, **more):
    rows = rows or {
        "SEAL": RowConfig(published={"overall": 75.39}, run=str(run), system="guided"),
        "BFS": RowConfig(run=str(run), system="bfs"),
        "GPT": RowConfig(published={"overall": 54.97}),
        "ours": RowConfig(run=str(run), system="none"),
    }
    column = {"overall": ColumnConfig(path=PATH, n=191)}
    return TableConfig(title="t", source="a paper", columns=column, rows=rows, **more)


def test_a_row_that_was_not_run_or_not_published_stays_empty(run):
    made = table(run).build().table
    low, high = (100 * x for x in difference_from(METRIC, 0.7539, n=191)[1:])
    assert made.head == ("system", "overall", "published", "difference")
    assert made.rows == (
        ("SEAL", "75.39 [68.8, 81.0] (1)", "75.39", f"+0.00 [{low:+.1f}, {high:+.1f}]"),
        ("BFS", "", "", ""),
        ("GPT", "", "54.97", ""),
        ("ours", "45.00 [68.8, 81.0] (1)", "", ""),
    )


def test_every_measured_number_says_its_protocol_its_n_and_what_was_not_usable(run):
    metrics = results(guided=0.5, none=0.4)
    split = metrics["systems"]["none"]["overall"]
    split["accuracy"] |= {"invalid": 3}
    split["ties"] = 7
    write_json(run / "metrics.json", metrics)
    made = table(run).build().table
    assert made.rows[3][1].endswith(" (2)")
    assert made.notes[:2] == (
        f"(1) {run}: protocol default, scoring likelihood; n 191",
        f"(2) {run}: protocol default, scoring likelihood; n 191, invalid 3, ties 7",
    )
    assert "Published: a paper." in made.notes
    assert "overall 191" in made.notes[-1]


def test_an_empty_cell_tells_the_command_that_fills_it(run, tmp_path):
    rows = {
        "SEAL": RowConfig(run=str(tmp_path / "seal_13b"), system="guided"),
        "BFS": RowConfig(run=str(run), system="bfs", command="seal eval/search x={experiment}"),
    }
    filled = table(run, rows).build()
    assert filled.missing == (
        "seal eval/benchmark experiment=seal_13b", "seal eval/search x=run",
    )  # fmt: skip
    assert filled.runs == ()


def test_other_runs_of_the_same_names_get_columns_of_their_own(run, tmp_path):
    write_json(tmp_path / "big" / "run" / "metrics.json", results(guided=0.8))
    filled = table(run).build(groups={"13b": str(tmp_path / "big")})
    assert filled.table.head[4:] == ("overall, 13b", "difference, 13b")
    assert filled.table.rows[0][4].startswith("80.00 [")
    assert filled.table.rows[0][5].startswith("+4.61 [")
    assert filled.table.rows[3][4] == ""
    assert f"seal eval/benchmark experiment=run out={tmp_path}/big/run" in filled.missing
    command = "seal a out=" + str(tmp_path / "first") + " && seal b out=" + str(run)
    (told,) = (
        table(run, {"x": RowConfig(run=str(run), system="x", command=command)})
        .build(groups={"13b": str(tmp_path / "big")})
        .missing[1:]
    )
    assert told == f"seal a out={tmp_path}/big/first && seal b out={tmp_path}/big/run"
    for name in ("published", "miniature", "measured"):
        with pytest.raises(ValueError, match=f"groups.{name}: .* are columns of other numbers"):
            table(run).build(groups={name: str(tmp_path / "big")})
    with pytest.raises(ValueError, match=r"groups\.big=.* is no folder of runs"):
        table(run).build(groups={"big": str(tmp_path / "nowhere")})


def test_the_miniature_stands_beside_and_is_compared_with_nothing_printed(run, tmp_path):
    folder = tmp_path / "demo" / "results" / "benchmark"
    write_json(folder / "metrics.json", results(guided=0.9))
    rows = {
        "SEAL": RowConfig(
            published={"overall": 75.39}, run=str(run), system="guided",
            miniature="benchmark:guided",
        ),
        "black": RowConfig(run=str(run), system="none", miniature="benchmark:crop_black"),
    }  # fmt: skip
    filled = table(run, rows).build(miniature=str(tmp_path / "demo"))
    assert filled.table.head == (
        "system", "overall", "published", "difference", "overall, miniature"
    )  # fmt: skip
    assert filled.table.rows[0][4].startswith("90.00 [") and filled.table.rows[1][4] == ""
    assert filled.missing == (f"seal demo --out {tmp_path / 'demo'}",)
    assert filled.runs == (run, folder)
    with pytest.raises(ValueError, match="seal demo --out"):
        table(run, rows).build(miniature=str(tmp_path / "nowhere"))


def test_a_table_of_nobody_we_run_is_what_was_printed():
    made = table(None, {"GPT": RowConfig(published={"overall": 54.97}, note="who knows")}).build()
    assert made.table.head == ("system", "overall")
    assert made.table.rows == (("GPT (1)", "54.97"),)
    assert made.table.notes == ("(1) who knows", "Published: a paper.")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"published": {"overal": 1.0}}, r"rows\.x\.published\.overal names no column"),
        ({"miniature": "benchmark:"}, r"rows\.x\.miniature='benchmark:' is not RUN:SYSTEM"),
        ({"miniature": "benchmark"}, r"rows\.x\.miniature='benchmark' is not RUN:SYSTEM"),
        ({"run": "runs/{name}"}, r"rows\.x\.run='runs/{name}': only {task} are filled in"),
        ({"command": "a {b}"}, r"rows\.x\.command='a {b}': only {experiment} and {task} are"),
    ],
)
def test_a_row_that_means_nothing_is_refused(row, says):
    with pytest.raises(ValueError, match=says):
        table(None, {"x": RowConfig(**row)})


def test_a_path_with_other_names_in_braces_is_refused():
    column = {"x": ColumnConfig(path="systems.{sytem}.overall.{main}")}
    with pytest.raises(ValueError, match=r"columns\.x\.path=.*only {system} and {main} are"):
        TableConfig(title="t", source="a paper", columns=column, rows={})


def test_a_run_of_another_benchmark_fills_no_cell(run):
    column = {"overall": ColumnConfig(path=PATH, task="mmbench")}
    rows = {"SEAL": RowConfig(run=str(run), system="guided")}
    config = TableConfig(title="t", source="a paper", columns=column, rows=rows)
    with pytest.raises(ValueError, match=r"run.metrics\.json holds numbers of vstar_bench, and .*"):
        config.build()
    column["overall"].task = "vstar_released"  # names a folder, no benchmark
    assert config.build().table.rows[0][1].startswith("75.39 [")


def test_a_path_is_followed_or_leads_nowhere():
    metrics = {"strategies": {"guided": {"length": METRIC, "found": 3}}}
    assert look_up(metrics, ["strategies", "guided", "length"]) == METRIC
    assert look_up(metrics, ["strategies", "bfs", "length"]) is None
    assert look_up(metrics, ["pope"]) is None
    with pytest.raises(ValueError, match=r"strategies\.guided\.found is 3, not a metric"):
        look_up(metrics, ["strategies", "guided", "found"])


def test_a_dot_in_a_name_parts_no_steps(run):
    write_json(run / "metrics.json", {"strategies": {"human_prior_0.9": {"length": METRIC}}})
    cell = run_cell(run, "human_prior_0.9", "strategies.{system}.length", "")
    assert cell.metric == METRIC


def test_the_reference_lacks_no_difference_from_itself(run):
    lengths = {"difference": {"bfs": METRIC}}
    write_json(run / "metrics.json", {"reference": "guided", "search_length": lengths})
    path = "search_length.difference.{system}"
    assert run_cell(run, "guided", path, "seal x").command == ""
    assert run_cell(run, "dfs", path, "seal x").command == "seal x"


@pytest.mark.parametrize("text", ["", "{", "[1]", "NaN", '"x"', "\x00"])
def test_damaged_results_are_an_error_that_names_the_file(run, text):
    (run / "metrics.json").write_text(text)
    with pytest.raises(ValueError, match=r"metrics\.json"):
        run_cell(run, "guided", PATH, "")


def test_what_is_no_metric_is_no_number_of_a_table(run):
    with pytest.raises(ValueError, match="no metric"):
        run_cell(run, "guided", "systems.{system}.overall", "")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"format": "pdf"}, "markdown, latex, html"),
        ({"format": "html"}, "out=FOLDER or out=NAME.html"),
        ({"table": None}, "say which table="),
        ({"compare": ["a"]}, "two runs"),
        ({"table": None, "runs": ["a"], "miniature": "demo"}, "miniature .* say which table="),
        ({"table": None, "runs": ["a"], "groups": {"b": "c"}}, "groups .* say which table="),
        ({"format": "latex", "out": "x.md"}, "ends as markdown does, but format=latex"),
    ],
)
def test_what_cannot_be_made_is_refused(run, settings, says):
    with pytest.raises(ValueError, match=says):
        TablesRun(**({"table": table(run)} | settings))


@pytest.mark.parametrize(
    ("out", "form"),
    [("x.tex", "latex"), ("x.html", "html"), ("x.md", "markdown"), (None, "markdown")],
)
def test_what_a_file_ends_in_says_what_it_holds(run, out, form):
    assert TablesRun(table=table(run), out=out).format == form


def test_a_file_holds_all_tables_and_a_folder_one_file_each(run, tmp_path):
    tables = {"a": table(run), "b": table(run)}
    (one,) = write_tables(TablesRun(tables=tables, out=str(tmp_path / "x.md")))
    assert one.read_text().count("| SEAL ") == 2
    made = write_tables(TablesRun(tables=tables, out=str(tmp_path / "out"), format="latex"))
    assert [path.name for path in made] == ["a.tex", "b.tex"]
    assert all(path.read_text().count(r"\begin{tabular}") == 1 for path in made)


def test_the_page_holds_the_tables_the_runs_behind_them_and_what_is_missing(run, tmp_path):
    tables = {"a": table(run, picture="overall")}
    settings = TablesRun(tables=tables, out=str(tmp_path / "out"), format="html")
    (path,) = write_tables(settings)
    assert path == tmp_path / "out" / "tables.html"
    text = path.read_text()
    assert "75.39 [68.8, 81.0] (1)" in text and f"Behind the tables: {run}" in text
    assert "<code>seal eval/benchmark experiment=run</code>" in text
    assert text.count('class="mark"') == 4  # two printed, two measured
    assert "<title>SEAL, measured: 75.39 [68.8, 81]</title>" in text
    with pytest.raises(ValueError, match="picture=attribute names no column; there are overall"):
        table(run, picture="attribute")


def test_any_number_of_runs_stand_in_one_page_and_one_picture(run, tmp_path):
    folders = []
    for number in range(12):
        folders.append(tmp_path / f"run_{number}")
        metrics = results(none=0.4, guided=0.5 + number / 40)
        parts = ("calls", "tokens_read", "tokens_written", "pixels", "search_calls", "steps",
                 "seconds")  # fmt: skip
        metrics["costs"] = {
            name: {part: {**METRIC, "value": cost * (1 + number)} for part in parts}
            for name, cost in (("none", 1.0), ("guided", 40.0))
        }
        write_json(folders[-1] / "metrics.json", metrics)
    settings = TablesRun(runs=[str(folder) for folder in folders], out=str(tmp_path / "x.html"))
    (path,) = write_tables(settings)
    text = path.read_text()
    assert all(text.count(f"Behind the tables: {folder}</h2>") == 1 for folder in folders)
    assert text.count("vstar_bench, accuracy in percent over 191 questions") == 12  # each once
    shared = text.partition("accuracy against cost</h2>")[2]
    assert shared.count('class="scatter"') == 5 and shared.count("<circle") == 5 * 24
    assert len(TablesRun(runs=[str(folders[0])]).build()["run_1"].table.rows) == 2
    with pytest.raises(ValueError, match="holds no finished evaluation"):
        TablesRun(runs=[str(tmp_path)]).build()


def test_a_difference_has_a_sign(run):
    write_json(run / "metrics.json", {"search_length": {"difference": {"bfs": METRIC}}})
    column = {"minus": ColumnConfig(path="search_length.difference.{system}")}
    rows = {"bfs": RowConfig(run=str(run), system="bfs")}
    config = TableConfig(title="t", source="a paper", columns=column, rows=rows, scale=1)
    assert config.build().table.rows[0][1] == "+0.75 [+0.69, +0.81] (1)"
