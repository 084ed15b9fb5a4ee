"""HR-Bench through the runner: its table, its request, the search once, its four orders scored."""

from __future__ import annotations

from pathlib import Path

from fakes import FakeAnswerModel, FakeSearchModel
from option_lines import picture, table

from seal.evaluation.named_tasks import task_named
from seal.evaluation.run import Benchmark
from seal.evaluation.run_metrics import benchmark_metrics
from seal.evaluation.scorings.named import scoring_named
from seal.evaluation.systems import Systems
from seal.evaluation.task import TaskQuestion
from seal.geometry import Box
from seal.pipeline import ProtocolConfig
from seal.pipeline.planner import PlannerConfig

COLUMNS = ["index", "question", "A", "B", "C", "D", "answer", "category", "cycle_category", "image"]
TEXT = "Which color is the mug?"
SCORING = "letter_tree_bench"


def asked(cycle: int) -> str:
    options = "\n".join(f"{x}. {o}" for x, o in zip("ABCD", turned(cycle), strict=True))
    return f"{TEXT}\n{options}\nAnswer the option letter directly."


def turned(cycle: int) -> list[str]:
    rest = ["green", "blue", "white"]
    return [*rest[:cycle], "red", *rest[cycle:]]


def test_hr_bench_goes_through_the_runner(tmp_path: Path) -> None:
    shown = picture(size=(640, 480))
    rows = [[c, TEXT, *turned(c), "ABCD"[c], "single", c, shown] for c in range(4)]
    task = task_named("hr_bench_4k").task(str(table(tmp_path / "hr.tsv", COLUMNS, rows)))
    # It knows the color, but takes the third order for another.
    model = FakeAnswerModel(
        {TEXT: ["mug"]} | {asked(c): ["mug"] for c in range(4)},
        {asked(c): "A" if c == 2 else "ABCD"[c] for c in range(4)},
    )
    systems = Systems(
        ("none", "guided"), model, FakeSearchModel({"mug": [Box(10, 10, 40, 40)]}),
        protocol=ProtocolConfig(), planner=PlannerConfig(),
    )  # fmt: skip
    benchmark = Benchmark(task, tmp_path / "out", scoring="letter_hr_bench")
    lines = benchmark.predict(systems)
    assert len(lines) == 8
    assert {line["presented"][0][0] for line in lines} == {0}  # as the table has them
    found = benchmark_metrics(task, lines, baseline="none")["systems"]
    assert found["none"]["overall"]["accuracy"]["value"] == 0
    assert found["none"]["overall"]["accuracy"]["invalid"] == 4
    overall = found["guided"]["overall"]
    assert overall["accuracy"]["value"] == 0.75 and overall["all_orders"]["value"] == 0
    assert [overall[f"accuracy_cycle_{c}"]["value"] for c in range(4)] == [1, 1, 0, 1]
    assert benchmark.predict(systems) == lines  # nothing is asked again


def test_rows_that_hold_the_same_picture_stand_or_fall_together(tmp_path: Path) -> None:
    columns = ["index", "question", "A", "B", "answer", "category", "target_instances", "image"]
    pictures = [picture(), picture(), picture("blue"), picture("blue")]
    rows = [
        [i, f"Which is number {i}?", "a mug", "a boat", "A", "Perception/OCR", "[]", shown]
        for i, shown in enumerate(pictures)
    ]
    task = task_named("tree_bench").task(str(table(tmp_path / "TreeBench.tsv", columns, rows)))
    put = [scoring_named(SCORING).wordings(q, 0)[0].text for q in task.questions()]
    model = FakeAnswerModel({}, {text: "A" if i < 2 else "B" for i, text in enumerate(put)})
    systems = Systems(("none",), model, FakeSearchModel({}), protocol=ProtocolConfig())
    lines = Benchmark(task, tmp_path / "out", scoring=SCORING).predict(systems)
    clusters = [TaskQuestion.from_dict(line["question"]).cluster for line in lines]
    assert clusters[0] == clusters[1] != clusters[2] == clusters[3]
    accuracy = benchmark_metrics(task, lines)["systems"]["none"]["overall"]["accuracy"]
    assert accuracy["n"] == 4 and (accuracy["low"], accuracy["high"]) == (0, 1)
