"""What eval/score is told: judge answers that exist already, ours or another program's."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from seal.evaluation.answer_scorers import SCORERS
from seal.evaluation.free_answers import free_predictions
from seal.evaluation.free_metrics import free_metrics
from seal.evaluation.judged import OVERALL
from seal.evaluation.named_tasks import task_named
from seal.evaluation.recorded.forms import FORMS, read_said
from seal.evaluation.recorded.lines import Recording, as_jsonl, recorded_lines
from seal.evaluation.recorded.own_lines import check_line, is_own, own_lines
from seal.evaluation.results.result_tables import benchmark_table, free_answers_table
from seal.evaluation.run import line_key
from seal.evaluation.run_metrics import benchmark_metrics, write_metrics
from seal.evaluation.scorings.named import scoring_named
from seal.evaluation.store import CONFIG, METRICS, PREDICTIONS, latest, write_text
from seal.evaluation.task import Prediction, Task, TaskQuestion
from seal.evaluation.tasks.spec import TaskSpec
from seal.pages.table import Table

_UNNAMED = "answers"
NO_BASELINE = "none"  # the system that others are compared with, where nothing names one


@dataclass(kw_only=True, slots=True)
class ScoreRun:
    """conf/eval_score.yaml"""

    task: str = "vstar_bench"
    answers: str  # a run folder or its predictions.jsonl; or another program's file or folder
    out: str  # where metrics.json goes; a run's own folder only to restore it
    # The benchmark, as eval/benchmark takes it, or for vicrop_* a file of labels; our own
    # predictions hold their questions and need none.
    annotations: str | None = None
    # How answers are read, one of the task's scorings; null: by what they hold. Of our own written
    # answers: how they are read instead of as they were asked.
    scoring: str | None = None
    form: str | None = None  # of another program's file; null: it is recognized
    name: str = _UNNAMED  # what another program's answers are called in the results
    baseline: str | None = None  # the system that the others are compared with; null: as in the run
    seed: int | None = None  # of intervals; null: as in the run, or 0

    def __post_init__(self) -> None:
        if self.task not in SCORERS:
            self.task = task_named(self.task, also=tuple(SCORERS)).name
        for key in ("scoring", "form") if self.task in SCORERS else ():
            if getattr(self, key) is not None:
                raise ValueError(
                    f"{key}={getattr(self, key)} is for options; {self.task} is judged in both its "
                    "ways"
                )
        if self.form is not None and self.form not in FORMS:
            raise ValueError(f"form={self.form!r} is none of {', '.join(FORMS)}")


def run_score(run: ScoreRun) -> dict[str, Any]:
    """Judge, and write metrics.json; another program's answers are kept in our form beside it."""
    path, out = Path(run.answers), Path(run.out)
    if run.task in SCORERS:
        return _score_free(run, path, out)
    spec = task_named(run.task)
    task = spec.task(run.annotations or "", require_images=False)
    own = is_own(path)
    settings = _settings(path) if own else {}
    baseline = _told("baseline", run.baseline, settings, NO_BASELINE)
    seed = _told("seed", run.seed, settings, 0)
    if own:
        if run.form is not None:
            raise ValueError(
                f"form={run.form} is of another program's file; {path} holds predictions of ours"
            )
        if run.annotations is not None:
            print(f"note: {path} holds its questions; annotations= is not read", file=sys.stderr)
        if run.name != _UNNAMED:
            print(f"note: {path} names its systems; name= is not read", file=sys.stderr)
        lines = _of_run(own_lines(path, spec.name), settings)
        lines = _read_as(lines, run.scoring, spec, path)
    else:
        lines = _foreign(run, spec, task, path)
        _refuse_own_folder(out, path)
    _require_baseline(run.baseline, lines)
    metrics = benchmark_metrics(task, lines, baseline=baseline, seed=seed)
    if (out / CONFIG).exists():
        _restore(out, path, run, metrics)
    if not own:
        write_text(out / PREDICTIONS, as_jsonl(lines))
    write_metrics(out, metrics)
    return metrics


def score_table(metrics: dict[str, Any]) -> Table:
    """What `run_score` returned, as a table."""
    free = metrics["task"] in SCORERS
    return free_answers_table(metrics) if free else benchmark_table(metrics)


def score_notes(metrics: Mapping[str, Any]) -> list[str]:
    """What the table does not tell: what went wrong, what is missing, and ties as `argmin` breaks
    them.
    """
    notes = list(metrics["errors"])
    if metrics["task"] in SCORERS:
        return notes
    whole, there = task_named(metrics["task"]).counts.get(OVERALL), metrics["num_questions"]
    if whole is not None and there != whole:
        notes.append(
            f"{there} questions, where the whole benchmark has {whole}: a part of it, or another "
            "edition"
        )
    for name, by_split in metrics["systems"].items():
        told = by_split.get(OVERALL, {})
        if ungraded := told.get("ungraded", 0):
            notes.append(
                f"{name}: {ungraded} answers are not graded, and in no number; seal eval/judge "
                f"task={metrics['task']} answers=OUT judge=ADDRESS#MODEL has them graded"
            )
        if unjudged := told.get("not_judged", 0):
            notes.append(
                f"{name}: {unjudged} answers are in no number: the right ones are kept back, or a "
                "judge has yet to grade them"
            )
        first = [
            f"{split} {of['accuracy_ties_first']['value']:.2%}"
            for split, of in by_split.items()
            if "accuracy_ties_first" in of
        ]
        if first:
            notes.append(f"{name}, ties given to the option listed first: {', '.join(first)}")
    return notes


def _score_free(run: ScoreRun, path: Path, out: Path) -> dict[str, Any]:
    annotations = None if run.annotations is None else Path(run.annotations)
    lines = free_predictions(run.task, path, annotations, name=run.name)
    _require_baseline(run.baseline, lines)
    _refuse_own_folder(out, path)
    write_text(out / PREDICTIONS, as_jsonl(lines))
    baseline = run.baseline or NO_BASELINE
    metrics = free_metrics(run.task, lines, baseline=baseline, seed=run.seed or 0)
    write_metrics(out, metrics)
    return metrics


def _require_baseline(baseline: str | None, lines: Sequence[Prediction]) -> None:
    """What others are to be compared with must have answered something."""
    systems = dict.fromkeys(line["system"] for line in lines)
    if baseline is not None and baseline not in systems:
        raise ValueError(f"baseline={baseline} is none of the systems here: {', '.join(systems)}")


def _foreign(run: ScoreRun, spec: TaskSpec, task: Task, path: Path) -> list[Prediction]:
    """Another program's answers as lines: by the benchmark's own form, else by a program's."""
    if not path.exists():
        raise ValueError(f"{path} does not exist: answers= names a run folder or a file of answers")
    questions = task.questions() if run.annotations is not None else None
    recorded = None
    if spec.recorded is not None and run.form is None:
        recorded = spec.recorded(path, questions)
    form_scoring = None
    if recorded is None:
        if questions is None:
            raise ValueError(
                f"{path}: answers without their questions need annotations=, the benchmark: "
                f"{spec.files}"
            )
        said, form = read_said(path, run.form)
        form_scoring = form.scoring
        recorded = questions, said
    questions, said = recorded
    recording = Recording(
        path=path,
        task=spec.name,
        version=spec.version,
        scorings=spec.scorings,
        scoring=run.scoring,
        form_scoring=form_scoring,
        name=run.name,
    )
    return recorded_lines(said, questions, recording)


def _of_run(lines: Sequence[Prediction], settings: Mapping[str, Any]) -> list[Prediction]:
    """The lines that the run's own metrics are of, in their order.

    A question may have failed and then been asked again; behind those that the last command asked
    for, a folder keeps those of other systems, and of other questions, that an earlier one did.
    """
    kept = list(latest(lines, line_key).values())
    systems, count = settings.get("systems"), settings.get("questions")
    if systems is not None:
        kept = [line for line in kept if line["system"] in systems]
    if count is not None:
        asked = {*list(dict.fromkeys(line["id"] for line in kept))[:count]}
        kept = [line for line in kept if line["id"] in asked]
    return kept


def _read_as(
    lines: list[Prediction], scoring: str | None, spec: TaskSpec, path: Path
) -> list[Prediction]:
    """The same answers read by another scoring than the one by which they were asked."""
    if scoring is None:
        return lines
    if scoring not in spec.scorings:
        raise ValueError(
            f"scoring={scoring!r} is none of {', '.join(spec.scorings)}, in which {spec.name} is "
            "judged"
        )
    made = []
    for line in lines:
        asked = line["scoring"].partition("+")[0]
        where = f"{path}: {line['id']}"
        if scoring_named(asked).reads != scoring_named(scoring).reads:
            raise ValueError(
                f"scoring={scoring} reads {scoring_named(scoring).reads}, which the answers, asked "
                f"by scoring={asked}, do not hold"
            )
        named = line["scoring"]  # "+shared_search", what else it says of how it was asked, stays
        named = named if asked == scoring else f"{scoring}+asked_as_{named}"
        check_line(line | {"scoring": named}, where, spec.name)
        _check_rotations(line, scoring, where)
        made.append(line | {"scoring": named})
    return made


def _check_rotations(line: Prediction, scoring: str, where: str) -> None:
    """A scoring of every rotation is none of fewer answers."""
    try:
        wordings = scoring_named(scoring).wordings(TaskQuestion.from_dict(line["question"]), 0)
    except ValueError as error:  # some know but four letters
        raise ValueError(f"{where}: {error}") from error
    if line["answer"] is not None and len(line["answer"].get("texts") or [""]) < len(wordings):
        raise ValueError(
            f"{where}: scoring={scoring} needs an answer for each of {len(wordings)} orders of the "
            f"options, which scoring={line['scoring']} did not ask for"
        )


def _settings(path: Path) -> dict[str, Any]:
    """What the run's config.yaml says; nothing where the answers are not of a run."""
    config = (path if path.is_dir() else path.parent) / CONFIG
    if not config.is_file():
        return {}
    try:
        settings = yaml.safe_load(config.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{config} is no configuration of a run: {error}") from error
    if not isinstance(settings, dict):
        raise ValueError(f"{config} is no configuration of a run")
    return settings


def _told(key: str, given: Any, settings: Mapping[str, Any], otherwise: Any) -> Any:
    return settings.get(key, otherwise) if given is None else given


def _refuse_own_folder(out: Path, path: Path) -> None:
    if (out / CONFIG).exists():
        raise ValueError(f"out={out} is the folder of a run, whose answers would be lost")
    if (out / PREDICTIONS).resolve() == path.resolve():
        raise ValueError(f"out={out} holds the answers themselves, which would be written over")


def _restore(out: Path, path: Path, run: ScoreRun, metrics: Mapping[str, Any]) -> None:
    """A run's folder takes only its own metrics, where they are missing."""
    folder = path if path.is_dir() else path.parent
    if out.resolve() != folder.resolve():
        raise ValueError(f"out={out} is the folder of another run")
    given = [k for k in ("scoring", "baseline", "seed") if getattr(run, k) is not None]
    settings = _settings(path)
    for key in given:
        if getattr(run, key) != settings.get(key):
            raise ValueError(
                f"out={out} is the run's own folder, whose metrics are of {key}="
                f"{settings.get(key)}, not {getattr(run, key)}: choose another out="
            )
    if (out / METRICS).exists():
        raise ValueError(
            f"{out / METRICS} is there; in a run's own folder it is only restored where it is "
            "missing: choose another out="
        )
