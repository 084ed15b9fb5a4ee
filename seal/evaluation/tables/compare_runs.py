"""Two systems, of one run or of two, question by question: paired tests by split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from seal.evaluation.judges.graded import judged_by
from seal.evaluation.named_tasks import task_named
from seal.evaluation.recorded.own_lines import own_lines
from seal.evaluation.results.result_tables import paired_table
from seal.evaluation.run import line_key
from seal.evaluation.run_metrics import paired_splits
from seal.evaluation.store import latest, read_predictions
from seal.evaluation.task import Prediction, Task
from seal.pages.table import Table
from seal.text.quote import quoted


def compare_runs(first: str, second: str, *, seed: int = 0) -> Table:
    """Paired tests of two systems on the questions of both; each is FOLDER:SYSTEM.

    Raises:
        ValueError: a system is not there, they answered different benchmarks, or no question is
            the same in both.
    """
    sides = [_predictions(name) for name in (first, second)]
    tasks = [_one(side, "task") for side in sides]
    if tasks[0] != tasks[1]:
        raise ValueError(f"{first} answered {tasks[0]} and {second} {tasks[1]}: nothing is paired")
    shared = _shared(first, second, sides)
    compared = paired_splits(task_named(tasks[0]).task(), *shared, seed=seed)
    if not compared:
        raise ValueError(f"{first} and {second} have no question in common that both are judged on")
    table = paired_table({f"{first}_vs_{second}": compared})
    notes = [
        f"{name}: protocol {_one(side, 'protocol')}, scoring {_one(side, 'scoring')}, "
        f"{len(both)} of {len(side)} questions are the other's too"
        + _judge(task_named(tasks[0]).task(), side)
        for name, side, both in zip((first, second), sides, shared, strict=True)
    ]
    title = f"{first} minus {second}, {tasks[0]}, points of a hundred"
    return Table(title, table.head[1:], tuple(row[1:] for row in table.rows), tuple(notes))


def _shared(
    first: str, second: str, sides: Sequence[Sequence[Prediction]]
) -> tuple[list[Prediction], list[Prediction]]:
    """The lines of the questions that both were asked, in the order of the first."""
    others = {line["id"]: line for line in sides[1]}
    pairs = [(line, others[line["id"]]) for line in sides[0] if line["id"] in others]
    for line, other in pairs:
        if _asked(line) != _asked(other):
            raise ValueError(
                f"{first} and {second} answered different questions called {quoted(line['id'])}: "
                "they are of different copies of the benchmark"
            )
    return [line for line, _ in pairs], [other for _, other in pairs]


def _asked(line: Mapping[str, object]) -> tuple[object, ...]:
    question = line["question"]
    assert isinstance(question, dict)
    return question["text"], question["options"], question["answer"], question["image"]


def _predictions(name: str) -> list[Prediction]:
    folder, mark, system = name.rpartition(":")
    if not mark:
        raise ValueError(f"{name!r} is not FOLDER:SYSTEM, for example runs/vstar:guided")
    first = next(iter(read_predictions(Path(folder))), {})
    if "system" not in first or "question" not in first:
        raise ValueError(
            f"{folder} holds no answers of systems: name the folder of a run of eval/benchmark, "
            "eval/score or eval/judge"
        )
    lines = own_lines(Path(folder), str(first.get("task")))
    chosen = [line for line in latest(lines, line_key).values() if line["system"] == system]
    if not chosen:
        systems = ", ".join(sorted({line["system"] for line in lines}))
        raise ValueError(f"{folder} has no predictions of {system!r}; there are {systems}")
    return chosen


def _judge(task: Task, lines: Sequence[Prediction]) -> str:
    """Who graded; two judges, or two prompts, are two scales."""
    told = judged_by(lines, task.score).get("judge", {})
    return f", judge {told['model']}, prompt {told['prompt']}" if told else ""


def _one(lines: Sequence[Prediction], key: str) -> str:
    return ", ".join(sorted({str(line[key]) for line in lines}))
