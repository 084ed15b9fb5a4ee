"""What eval/score is told: judge answers that exist already, ours or another program's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seal.evaluation.answer_scorers import SCORERS
from seal.evaluation.free_answers import free_predictions
from seal.evaluation.free_metrics import free_metrics
from seal.evaluation.named_tasks import task_named
from seal.evaluation.result_tables import benchmark_table, free_answers_table
from seal.evaluation.run import benchmark_metrics, line_key, write_metrics
from seal.evaluation.scorings.named import scoring_named
from seal.evaluation.store import (
    CONFIG,
    PREDICTIONS,
    json_line,
    latest,
    numbered_lines,
    read_predictions,
    write_text,
)
from seal.evaluation.task import Prediction, Task, TaskQuestion
from seal.pages.table import Table

ID_KEYS = ("id", "question_id", "input_image", "image")
LOSS_KEYS = ("losses", "per_option_losses")
LINE = "line of the file"  # where a foreign answer stands, blank lines counted
TEXT_KEYS = ("text", "answer", "prediction", "output")


@dataclass(kw_only=True, slots=True)
class ScoreRun:
    """conf/eval_score.yaml"""

    task: str = "vstar_bench"
    answers: str  # a run folder or its predictions.jsonl; or JSONL lines of another program
    out: str  # where metrics.json goes
    # The benchmark's folder, or for vicrop_* a file of labels; our own predictions need none.
    annotations: str | None = None
    scoring: str | None = None  # of foreign answers; None: likelihood if they hold losses
    name: str = "answers"  # what foreign answers are called in the results
    baseline: str = "none"  # the system that the others are compared with
    seed: int = 0  # of intervals

    def __post_init__(self) -> None:
        if self.task not in SCORERS:
            self.task = task_named(self.task, also=tuple(SCORERS)).name
        if self.task in SCORERS and self.scoring is not None:
            raise ValueError(
                f"scoring={self.scoring} is for options; {self.task} is judged in both its ways"
            )


def run_score(run: ScoreRun) -> dict[str, Any]:
    """Judge, and write metrics.json; foreign answers are kept in our form beside it."""
    path, out = Path(run.answers), Path(run.out)
    if run.task in SCORERS:
        annotations = None if run.annotations is None else Path(run.annotations)
        lines = free_predictions(run.task, path, annotations, name=run.name)
        _keep(out, lines)
        metrics = free_metrics(run.task, lines, baseline=run.baseline, seed=run.seed)
        write_metrics(out, metrics)
        return metrics
    lines = _read(path)
    task = task_named(run.task).task(run.annotations or "", require_images=False)
    if "question" not in lines[0]:
        if run.annotations is None:
            raise ValueError(
                f"{path}: answers without their questions need annotations=FOLDER, the benchmark's"
            )
        lines = foreign_predictions(task, lines, path, run)
        _keep(out, lines)
    else:  # of a run that was not finished: a question may have failed, then been asked again
        lines = list(latest(lines, line_key).values())
    metrics = benchmark_metrics(task, lines, baseline=run.baseline, seed=run.seed)
    write_metrics(out, metrics)
    return metrics


def score_table(metrics: dict[str, Any]) -> Table:
    """What `run_score` returned, as a table."""
    free = metrics["task"] in SCORERS
    return free_answers_table(metrics) if free else benchmark_table(metrics)


def _keep(out: Path, lines: list[Prediction]) -> None:
    if (out / CONFIG).exists():
        raise ValueError(f"out={out} is the folder of a run, whose answers would be lost")
    write_text(out / PREDICTIONS, "".join(json.dumps(line) + "\n" for line in lines))


def foreign_predictions(
    task: Task, lines: list[dict[str, Any]], path: Path, run: ScoreRun
) -> list[Prediction]:
    """Answers of another program as prediction lines; a question without one is an error of it."""
    questions = {question.id: question for question in task.questions()}
    made: dict[str, Prediction] = {}
    for line in lines:
        number = line.get(LINE, "?")
        name = _question_id(line, questions)
        if name is None:
            raise ValueError(
                f"{path}:{number}: none of {', '.join(ID_KEYS)} names a question of the benchmark"
            )
        losses = next((line[key] for key in LOSS_KEYS if key in line), None)
        text = next((str(line[key]) for key in TEXT_KEYS if key in line), "")
        question = questions[name]
        if losses is not None and not (
            isinstance(losses, list)
            and all(isinstance(v, int | float) and not isinstance(v, bool) for v in losses)
        ):
            raise ValueError(
                f"{path}:{number}: losses must be a list of numbers, got {str(losses)[:80]}"
            )
        if losses is not None and len(losses) != len(question.options):
            raise ValueError(
                f"{path}:{number}: {len(losses)} losses for {len(question.options)} options"
            )
        scoring = run.scoring or ("likelihood" if losses is not None else "letter")
        made[name] = _prediction(task, question, run, scoring) | {
            "answer": {"losses": losses or [], "text": text}
        }
    scoring = next(iter(made.values()))["scoring"]
    for name, question in questions.items():
        if name not in made:
            made[name] = _prediction(task, question, run, scoring) | {
                "answer": None, "error": f"{path} has no answer to {name}",
            }  # fmt: skip
    return [made[name] for name in questions]


def _prediction(task: Task, question: TaskQuestion, run: ScoreRun, scoring: str) -> Prediction:
    # Another program shows options in the order of the file, unless it says otherwise.
    order = list(range(len(question.options)))
    return {
        "id": question.id,
        "system": run.name,
        "task": task.name,
        "task_version": task.version,
        "protocol": "foreign",
        "scoring": scoring,
        "presented": [order] if scoring_named(scoring).reads == "text" else None,
        "question": question.to_dict(),
        "prompt": None,
        "error": None,
    }


def _question_id(line: Mapping[str, Any], questions: Mapping[str, Any]) -> str | None:
    for key in ID_KEYS:
        name = str(line.get(key, ""))
        for candidate in (name, name.rpartition(".")[0]):
            if candidate in questions:
                return candidate
    return None


def _read(path: Path) -> list[dict[str, Any]]:
    if path.is_dir():
        lines = read_predictions(path)
    elif path.is_file():
        lines = []
        for number, line in numbered_lines(path):
            lines.append(json_line(path, number, line) | {LINE: number})
    else:
        raise ValueError(f"{path} does not exist: answers= names a run folder or a JSONL file")
    if not lines:
        raise ValueError(f"{path} holds no answers")
    return lines
