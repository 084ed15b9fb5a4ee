"""One search for the rows of a benchmark that put one question in several ways."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from seal.evaluation.task import TaskQuestion
from seal.pipeline import Answer
from seal.pipeline.stages import choose_likeliest

SUFFIX = "+shared_search"  # of the scoring's name in results

Unit = list[TaskQuestion]  # rows that share what is searched for them


def units(questions: Sequence[TaskQuestion], share: bool) -> list[Unit]:
    """Runs of rows that are phrasings of one question about one image; alone without `share`.

    Such rows have the same `meta["group"]`, image, text and targets, and the same options in any
    order.
    """
    if not share:
        return [[question] for question in questions]
    return [list(rows) for _, rows in groupby(questions, _key)]


def batches(questions: Sequence[TaskQuestion], batch: int, share: bool) -> Iterator[Unit]:
    """`batch` rows at a time, in order; none of them are torn apart that share a search.

    They depend on the questions alone, not on how many processes there are.
    """
    part: Unit = []
    for unit in units(questions, share):
        if part and len(part) + len(unit) > batch:
            yield part
            part = []
        part = part + unit
    if part:
        yield part


def parted(answer: Answer, unit: Unit, wordings: Sequence[Sequence[str]]) -> list[Answer]:
    """What each row of a unit was answered; all of them bear an equal part of what it cost.

    answer: to the first row, whose final wordings were those of all rows. wordings: of each row;
    none where the losses of its options are read, which no order of the options changes.
    """
    if len(unit) == 1:
        return [answer]
    cost = _part(answer.cost, len(unit))
    answers, start = [], 0
    for row, texts in zip(unit, wordings, strict=True):
        own = replace(answer, cost=cost)
        if answer.losses:
            first = unit[0].options
            losses = [answer.losses[first.index(option)] for option in row.options]
            choose_likeliest(own, row.options, losses)
        elif len(answer.texts) > 1:
            own.texts = answer.texts[start : start + len(texts)]
            own.levels_each = answer.levels_each[start : start + len(texts)]
            start += len(texts)
            own.text = own.texts[0]
            if answer.memory is not None:
                own.memory = replace(answer.memory, question=texts[0])
        answers.append(own)
    return answers


def _key(question: TaskQuestion) -> tuple[str, ...]:
    group = question.meta.get("group")
    if group is None:  # no phrasing of anything else
        return ("", question.id)
    image = question.image or ""
    sought = (target.name for target in question.targets)
    return ("group", str(group), image, question.text, *sorted(question.options), *sought)


def _part(cost: Mapping[str, Any], among: int) -> dict[str, Any]:
    """An equal part of every number, in tables within tables too."""
    return {
        name: _part(value, among) if isinstance(value, Mapping) else value / among
        for name, value in cost.items()
    }
