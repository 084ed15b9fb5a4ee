"""What a system's answers cost: calls, tokens, pixels, steps and seconds of a question."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from seal.evaluation.task import Prediction, TaskQuestion
from seal.metrics.intervals import mean
from seal.pages.table import Table

_PARTS: dict[str, Callable[[Mapping[str, Any]], float]] = {
    "calls": lambda cost: cost["answer_model"]["calls"],
    "tokens_read": lambda cost: cost["answer_model"]["tokens_read"],
    "tokens_written": lambda cost: cost["answer_model"]["tokens_written"],
    "pixels": lambda cost: cost["answer_model"]["pixels"],
    "search_calls": lambda cost: sum(cost["calls"].values()),
    "steps": lambda cost: cost["visits"],
    "seconds": lambda cost: sum(cost["seconds"].values()),
}
SHARED = (
    "Seconds are as they were spent: what systems of one run share is charged to the one that came "
    "first, and questions asked together share theirs. The other costs are each system's own."
)


def mean_costs(predictions: Sequence[Prediction], *, seed: int = 0) -> dict[str, Any]:
    """Part -> its mean over one system's questions, with an interval that resamples pictures.

    Calls, tokens, pixels and steps are those of the question and of the system alone, whatever
    several systems of one run shared; of what a guide asks the answer model itself, questions
    asked together bear equal parts. Seconds are as they were spent: what is shared is charged to
    the system that came first, and questions asked together share theirs. Questions without an
    answer, and answers of before costs were kept, count as invalid.
    """
    told = [line for line in predictions if "answer_model" in _cost(line)]
    clusters = [TaskQuestion.from_dict(line["question"]).cluster for line in told]
    lacking = len(predictions) - len(told)
    return {
        name: mean(
            [float(part(_cost(line))) for line in told],
            invalid=lacking,
            clusters=clusters,
            seed=seed,
        ).to_dict()
        for name, part in _PARTS.items()
    }


def _cost(line: Prediction) -> Mapping[str, Any]:
    cost: Mapping[str, Any] = (line["answer"] or {}).get("cost", {})
    return cost


def has_costs(costs: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether any is known: answers of other programs come without."""
    return any(part["value"] is not None for parts in costs.values() for part in parts.values())


def cost_table(costs: Mapping[str, Mapping[str, Any]]) -> Table:
    """System by part, means alone."""
    rows = []
    for name, parts in costs.items():
        values = (parts[part]["value"] for part in _PARTS)
        rows.append((name, *("" if value is None else _written(value) for value in values)))
    head = ("system", *(part.replace("_", " ") for part in _PARTS))
    return Table("cost of a question (means; calls of the answer model)", head, tuple(rows))


def _written(value: float) -> str:
    """Three digits that count, and every digit of what is a thousand or more."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
