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
    "visual_tokens": lambda cost: cost["answer_model"]["visual_tokens"],
    "tokens_written": lambda cost: cost["answer_model"]["tokens_written"],
    "pixels": lambda cost: cost["answer_model"]["pixels"],
    "search_calls": lambda cost: sum(cost["calls"].values()),
    "steps": lambda cost: cost["visits"],
    "seconds": lambda cost: sum(cost["seconds"].values()),
}
VISUAL_TOKENS = "visual_tokens"  # no server tells them, and results of before had none
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
    answer, and answers of before costs were kept, count as invalid. Visual tokens are there if the
    answer model tells them apart.
    """
    told = [line for line in predictions if "answer_model" in _cost(line)]
    costs = {}
    for name, part in _PARTS.items():
        having = told
        if name == VISUAL_TOKENS:
            having = [line for line in told if name in _cost(line)["answer_model"]]
            if not having:
                continue
        costs[name] = mean(
            [float(part(_cost(line))) for line in having],
            invalid=len(predictions) - len(having),
            clusters=[TaskQuestion.from_dict(line["question"]).cluster for line in having],
            seed=seed,
        ).to_dict()
    return costs


def _cost(line: Prediction) -> Mapping[str, Any]:
    cost: Mapping[str, Any] = (line["answer"] or {}).get("cost", {})
    return cost


def has_costs(costs: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether any is known: answers of other programs come without."""
    return any(part["value"] is not None for parts in costs.values() for part in parts.values())


def cost_table(costs: Mapping[str, Mapping[str, Any]]) -> Table:
    """System by part, means alone."""
    rows = []
    shown = [p for p in _PARTS if p != VISUAL_TOKENS or any(p in parts for parts in costs.values())]
    for name, parts in costs.items():
        values = (parts.get(part, {}).get("value") for part in shown)
        rows.append((name, *("" if value is None else _written(value) for value in values)))
    head = ("system", *(part.replace("_", " ") for part in shown))
    return Table("cost of a question (means; calls of the answer model)", head, tuple(rows))


def _written(value: float) -> str:
    """Three digits that count, and every digit of what is a thousand or more."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
