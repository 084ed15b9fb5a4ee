"""POPE: is there such a thing in the image? Asked for things that are there and things that are
not, the latter drawn at random, among the most frequent, or among those often seen with the former.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seal.evaluation.judged import INVALID, OVERALL, Judged, by_split
from seal.evaluation.task import Prediction, TaskQuestion
from seal.evaluation.tasks.answers_in_words import VICROP, is_vicrop, text_of
from seal.evaluation.tasks.pope_answers import recorded
from seal.evaluation.tasks.pope_files import read, read_rows
from seal.evaluation.tasks.spec import TaskSpec
from seal.metrics.vicrop_scores import pope_credit
from seal.metrics.yes_no import mean_f1, says_yes, yes_no_metrics
from seal.metrics.yes_no_rules import pope_says_yes


def judge(question: TaskQuestion, line: Prediction) -> dict[str, Any]:
    """By POPE's rule, for which whatever is no "no" is a "yes"; as ViCrop does where put so.

    "assumed": the answer has neither word, and counts as a "yes" for that alone.
    """
    text = text_of(line)
    if text is None:
        return dict(INVALID)
    label = question.labels[0]
    if is_vicrop(line):
        credit = pope_credit(text, label)
        said: bool | None = (label == "yes") == (credit == 1)
        empty = not text.strip()
    else:
        said = pope_says_yes(text)
        credit = float(said is not None and said == (label == "yes"))
        empty = said is None
    return {
        "credit": credit,
        "correct": credit == 1,
        "tie": False,
        "invalid": empty,
        "chosen": None if said is None else "yes" if said else "no",
        "assumed": said is True and says_yes(text) is None,
    }


def metrics(judged: Sequence[Judged], seed: int) -> dict[str, dict[str, Any]]:
    """Of each category; and of all questions, with `f1_mean`, the mean of the categories' F1,
    which papers print as POPE's number.
    """
    found = {split: _of_split(of, seed) for split, of in by_split(judged).items()}
    if judged:
        told = mean_f1(
            *_answers(judged),
            [j.question.split for j in judged],
            clusters=[j.question.cluster for j in judged],
            seed=seed,
        )
        found[OVERALL]["f1_mean"] = told.to_dict() | {"invalid": _invalid(judged)}
    return found


def _of_split(judged: Sequence[Judged], seed: int) -> dict[str, Any]:
    clusters = [j.question.cluster for j in judged]
    found = yes_no_metrics(*_answers(judged), clusters=clusters, seed=seed)
    told = {
        name: metric.to_dict() | {"invalid": _invalid(judged)} for name, metric in found.items()
    }
    return told | {"ties": 0, "assumed_yes": sum(j.score.get("assumed", False) for j in judged)}


def _answers(judged: Sequence[Judged]) -> tuple[list[bool | None], list[bool]]:
    said = [{"yes": True, "no": False}.get(j.score["chosen"]) for j in judged]
    return said, [j.question.labels[0] == "yes" for j in judged]


def _invalid(judged: Sequence[Judged]) -> int:
    return sum(j.score["invalid"] for j in judged)


SPEC = TaskSpec(
    name="pope",
    title="POPE: whether things are in the image that are not",
    files="the folder of coco_pope_random.json, coco_pope_popular.json and "
    "coco_pope_adversarial.json (in it or in coco/) with COCO's val2014/; where "
    "llava_pope_test.jsonl lies there too, its questions are asked",
    hub="lmms-lab/POPE:default:test",
    origin="https://github.com/AoiDragon/POPE",
    licence="MIT; photographs of COCO",
    counts={"random": 3000, "popular": 3000, "adversarial": 3000, OVERALL: 9000},
    scorings=("short_answer", "yes_no", "free", VICROP),
    read=read,
    read_rows=read_rows,
    judge=judge,
    metrics=metrics,
    main="f1",
    recorded=recorded,
)
