"""Judged predictions: what an answer to options earns, and accuracy by split."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from seal.evaluation.judging import Choice, by_likelihood
from seal.evaluation.scorings.named import scoring_named
from seal.evaluation.task import Prediction, TaskQuestion
from seal.metrics.intervals import mean, proportion
from seal.metrics.metric import Metric

OVERALL = "overall"
SplitsOf: TypeAlias = Callable[[TaskQuestion], tuple[str, ...]]
INVALID: dict[str, Any] = {
    "credit": 0.0, "correct": False, "tie": False, "invalid": True, "chosen": None,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Judged:
    """A prediction and what it earns. `score["credit"]` is in [0, 1]; None: not judged yet."""

    question: TaskQuestion
    line: Prediction
    score: Mapping[str, Any]


def judge_choice(question: TaskQuestion, line: Prediction) -> dict[str, Any]:
    """Whether the chosen option is the true one; the share of wordings where there are several."""
    answer = line["answer"]
    if answer is None:  # the question could not be put: its image is damaged, say
        return dict(INVALID)
    choices = list(choices_of(question, line))
    right = [c.option is not None and c.option == question.answer for c in choices]
    score: dict[str, Any] = {
        "credit": sum(right) / len(right),
        "correct": all(right),
        "tie": any(choice.tie for choice in choices),
        "invalid": all(choice.invalid for choice in choices),
        "chosen": choices[0].option,
    }
    if len(choices) > 1:
        score["credits"] = [float(one) for one in right]
    losses = [loss for loss in answer.get("losses", ()) if loss is not None]
    if choices[0].tie and question.answer is not None:
        score["first_of_ties"] = losses.index(min(losses)) == question.answer
    return score


def choices_of(question: TaskQuestion, line: Prediction) -> Iterable[Choice]:
    """The choice behind each wording of a stored answer, by the scoring that its line names."""
    scoring, answer = scoring_named(line["scoring"].partition("+")[0]), line["answer"]
    if scoring.reads == "losses":
        return [by_likelihood(answer["losses"])]
    orders = line["presented"] or [()]
    if orders and isinstance(orders[0], int):  # lines of before several wordings were possible
        orders = [orders]
    texts = answer.get("texts") or [answer["text"]]
    return [scoring.choose(question, t, order) for t, order in zip(texts, orders, strict=True)]


def own_and_overall(question: TaskQuestion) -> tuple[str, ...]:
    """A question counts in its own split and in all."""
    return (question.split, OVERALL) if question.split else (OVERALL,)


def accuracy_by_split(
    judged: Sequence[Judged], seed: int, splits_of: SplitsOf = own_and_overall
) -> dict[str, dict[str, Any]]:
    """Mean credit, ties and invalid answers of each split."""
    return {split: accuracy(of, seed) for split, of in by_split(judged, splits_of).items()}


def by_split(
    judged: Sequence[Judged], splits_of: SplitsOf = own_and_overall
) -> dict[str, list[Judged]]:
    """The predictions of each split, in the order in which splits appear; "overall" last."""
    groups: dict[str, list[Judged]] = {}
    for one in judged:
        for split in splits_of(one.question):
            groups.setdefault(split, []).append(one)
    return {split: groups[split] for split in sorted(groups, key=OVERALL.__eq__)}


def share(credits: Sequence[float], clusters: Sequence[str], *, invalid: int, seed: int) -> Metric:
    """The mean of credits in [0, 1]; a proportion where all are right or wrong."""
    if set(credits) <= {0.0, 1.0}:
        outcomes = [credit == 1 for credit in credits]
        return proportion(outcomes, invalid=invalid, clusters=clusters, seed=seed)
    return mean(credits, invalid=invalid, clusters=clusters, seed=seed)


def accuracy(judged: Sequence[Judged], seed: int) -> dict[str, Any]:
    """Of one split. What has not been judged yet is left out, and told."""
    known = [j for j in judged if j.score["credit"] is not None]
    credits = [float(j.score["credit"]) for j in known]
    invalid = sum(j.score["invalid"] for j in known)
    clusters = [j.question.cluster for j in known]
    found: dict[str, Any] = {
        "accuracy": share(credits, clusters, invalid=invalid, seed=seed).to_dict(),
        "ties": sum(j.score["tie"] for j in known),
    }
    if any("first_of_ties" in j.score for j in known):
        # What `argmin` would print, which gives a tie to the option listed first: for comparing
        # with numbers that were made so, and for nothing else.
        first = [j.score["correct"] or j.score.get("first_of_ties", False) for j in known]
        found["accuracy_ties_first"] = share(
            list(map(float, first)), clusters, invalid=invalid, seed=seed
        ).to_dict()
    if any("credits" in j.score for j in known):
        every = [float(j.score["correct"]) for j in known]
        found["all_wordings"] = share(every, clusters, invalid=invalid, seed=seed).to_dict()
    if len(known) < len(judged):
        found["not_judged"] = len(judged) - len(known)
    return found
