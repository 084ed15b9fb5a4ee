"""Have the answers of a run graded by a judge: each grade is on disk as soon as it is there."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from seal.evaluation.environment import environment
from seal.evaluation.judges.config import JudgeConfig, check_judge
from seal.evaluation.judges.graded import said_of
from seal.evaluation.judges.judge import Grade, Judge
from seal.evaluation.judges.rubrics import rubric_of
from seal.evaluation.named_tasks import task_named
from seal.evaluation.run import line_key
from seal.evaluation.run_metrics import benchmark_metrics, write_metrics
from seal.evaluation.store import (
    ENVIRONMENT,
    PREDICTIONS,
    PredictionStore,
    json_line,
    latest,
    numbered_lines,
    read_predictions,
    require_own_folder,
    settle,
    write_json,
)
from seal.evaluation.task import Prediction, TaskQuestion
from seal.files.lock import WriterLock

# Settings that change how grades are got, not what they are; answers are compared one by one.
FREE = ("answers", "out", "judge", "judge_api_key_env", "judging", "baseline")


@dataclass(kw_only=True, slots=True)
class JudgeRun:
    """conf/eval_judge.yaml"""

    task: str  # mm_vet, llava_bench, visual_probe or zoom_bench
    answers: str  # the folder of a run of eval/benchmark or eval/score, or its predictions.jsonl
    judge: str | None = None  # http://HOST:PORT/v1#MODEL, or https://api.openai.com/v1#gpt-4.1
    judge_api_key_env: str = "OPENAI_API_KEY"  # the variable that holds the key
    judging: JudgeConfig = field(default_factory=JudgeConfig)  # how it is asked
    out: str  # the graded answers and metrics.json; the same command continues what is there
    baseline: str = "none"  # the system that the others are compared with
    seed: int = 0  # of intervals

    def __post_init__(self) -> None:
        self.task = task_named(self.task).name
        rubric_of(self.task)
        check_judge(self.judge, self.judge_api_key_env)


def run_judge(run: JudgeRun) -> dict[str, Any]:
    """Grade what is not graded yet; the metrics."""
    spec, out = task_named(run.task), Path(run.out)
    lines = _answers(Path(run.answers), run.task, out)
    rubric = rubric_of(run.task)
    judge = Judge.at(run.judge, rubric, run.judging, key_name=run.judge_api_key_env)
    with WriterLock(out, "evaluation"):
        require_own_folder(out)
        # The same model may answer elsewhere, and a grade does not tell how much room it had.
        made_by = {k: v for k, v in judge.settings().items() if k not in ("address", "max_tokens")}
        settings = asdict(run) | {"task_version": spec.version, "grades": made_by}
        settle(out, settings, FREE)
        write_json(out / ENVIRONMENT, environment("cpu") | {"judge": judge.settings()})
        lines = _with_known_grades(lines, latest(read_predictions(out), line_key))
        lines = grade_folder(out, lines, judge)
        made_with = environment("cpu") | {"judge": judge.settings() | judge.report()}
        write_json(out / ENVIRONMENT, made_with)
    metrics = benchmark_metrics(spec.task(), lines, baseline=run.baseline, seed=run.seed)
    write_metrics(out, metrics)
    return metrics


def grade_folder(folder: Path, lines: Sequence[Prediction], judge: Judge) -> list[Prediction]:
    """Grade what this judge has not graded yet, and keep all in the folder, in the order given.

    Where nothing was said, or an option had to be chosen, there is nothing to grade.

    Raises:
        ValueError: a question cannot be graded, or the server refuses.
        FailedError: the server does not answer.
    """
    store = PredictionStore(folder, line_key)
    store.add(lines)
    places, prompts = [], []
    for place, line in enumerate(lines):
        if (said := said_of(line)) and not judge.made(line.get("grade")):
            question = TaskQuestion.from_dict(line["question"])
            if not question.options:
                places.append(place)
                prompts.append(judge.rubric.prompt(question, said))
    bar = tqdm(total=len(prompts), desc=judge.rubric.version, unit="answer", disable=not prompts)

    def done(number: int, grade: Grade) -> None:
        store.add([lines[places[number]] | {"grade": grade}])
        bar.update()

    with bar:
        judge.grade(prompts, done)
    for told in _troubles(judge):
        tqdm.write(told, file=sys.stderr)
    return store.merge({line_key(line): place for place, line in enumerate(lines)})


def _troubles(judge: Judge) -> Iterator[str]:
    """Why answers are left without a grade, where something can be done about it."""
    if judge.cut:
        yield (
            f"{judge.cut} replies were cut at judging.max_tokens={judge.config.max_tokens} and "
            "hold no grade: allow more, the rest is not asked again"
        )
    if judge.fault:
        yield f"some answers got no reply, the last: {judge.fault}; the same command asks again"


def _answers(path: Path, task: str, out: Path) -> list[Prediction]:
    """The lines of a run, one of each question and system."""
    folder = path if path.is_dir() else path.parent
    if out.resolve() == folder.resolve():
        raise ValueError(f"out={out} is where the answers are: name another folder for the graded")
    if path.is_dir():
        lines = read_predictions(path)
    elif path.suffix == ".json" and path.is_file():  # a list or an object, of another program
        raise ValueError(_foreign(path, task))
    elif path.is_file():
        lines = [json_line(path, number, line) for number, line in numbered_lines(path)]
    else:
        raise ValueError(f"{path} does not exist: answers= names a run's folder or {PREDICTIONS}")
    if not lines:
        raise ValueError(f"{path} holds no answers")
    for line in lines:
        if not isinstance(line.get("question"), dict) or "system" not in line:
            raise ValueError(_foreign(path, task))
        if line.get("task") != task:
            raise ValueError(f"{path} holds answers to {line.get('task')}, not to {task}")
    return list(latest(lines, line_key).values())


def _foreign(path: Path, task: str) -> str:
    return (
        f"{path} holds other lines than those of a run: read another program's answers with "
        f"`seal eval/score task={task} answers={path}` first, and name its out= here"
    )


def _with_known_grades(
    lines: Sequence[Prediction], known: dict[Any, Prediction]
) -> list[Prediction]:
    """The answers as they are now, with the grades that the very same answers have here."""
    return [
        known[line_key(line)]
        if _answer(known.get(line_key(line))) == _answer(line) and "grade" in known[line_key(line)]
        else line
        for line in lines
    ]


def _answer(line: Prediction | None) -> dict[str, Any]:
    """All of a line but its grade."""
    return {} if line is None else {key: value for key, value in line.items() if key != "grade"}
