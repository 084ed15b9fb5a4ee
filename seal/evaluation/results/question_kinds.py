"""Kinds that the questions of a run fall into: by split, by label, by the size of what is asked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from seal.evaluation.judged import OVERALL
from seal.evaluation.task import TaskQuestion

# What they are sorted by -> kind -> ids of its questions. A question may be of several kinds.
Kinds: TypeAlias = dict[str, dict[str, list[str]]]
SPLIT, GROUP, SIZE = "split", "target group", "object size"
_MOST_SPLITS, _MOST_LABELS = 40, 12  # more are no kinds, but names
_MOST_SIZES = 6  # more sizes than that are put into four bins


def question_kinds(
    questions: Sequence[TaskQuestion], splits_of: Callable[[TaskQuestion], tuple[str, ...]]
) -> Kinds:
    """By the task's splits, by each label in `meta`, by the group of targets, by object size.

    A label is a text, a list of texts or a yes or no, of which a few sort all questions: ids and
    texts of their own are none. What all questions share tells nothing, nor
    does what sorts them as something before it did; both are left out.
    """
    found: Kinds = {}
    keys = dict.fromkeys(key for question in questions for key in question.meta)
    ways: dict[str, Callable[[TaskQuestion], Iterable[str]]] = {
        SPLIT: lambda q: (split for split in splits_of(q) if split != OVERALL),
        **{
            f"own {key}" if key in (SPLIT, GROUP, SIZE) else key: (
                lambda q, key=key: _labels(q.meta.get(key))  # type: ignore[misc]
            )
            for key in keys
        },
        GROUP: lambda q: (target.group for target in q.targets if target.group),
    }
    for name, way in ways.items():
        of: dict[str, list[str]] = {}
        for question in questions:
            for kind in dict.fromkeys(way(question)):
                of.setdefault(kind, []).append(question.id)
        most = _MOST_SPLITS if name == SPLIT else _MOST_LABELS
        known = [sorted(map(tuple, earlier.values())) for earlier in found.values()]
        few = 1 < len(of) <= min(most, len(questions) // 2)
        if few and sorted(map(tuple, of.values())) not in known:
            found[name] = of
    sizes = {q.id: size for q in questions if (size := object_size(q)) is not None}
    if len(set(sizes.values())) > 1:
        found[SIZE] = size_bins(sizes)
    return found


def object_size(question: TaskQuestion) -> float | None:
    """Pixels: the root of the area of the smallest box of a question's targets; of a question
    without boxes its `meta["size"]`, if that is a number. None: nobody knows.
    """
    areas = [box.area for target in question.targets for box in target.boxes if box.area > 0]
    if areas:
        return math.sqrt(min(areas))
    told = question.meta.get("size")
    if isinstance(told, int | float) and not isinstance(told, bool) and 0 < told < math.inf:
        return float(told)
    return None


def size_bins(sizes: Mapping[str, float]) -> dict[str, list[str]]:
    """Kind -> ids, from small to large: every size by itself where there are few, else quarters."""
    rounded = {name: round(size) for name, size in sizes.items()}
    values = sorted(set(rounded.values()))
    if len(values) <= _MOST_SIZES:
        return {f"{v} px": [name for name, one in rounded.items() if one == v] for v in values}
    cuts = np.unique(np.quantile(list(rounded.values()), [0.25, 0.5, 0.75], method="lower"))
    places = np.searchsorted(cuts, [rounded[name] for name in sizes])
    found: dict[str, list[str]] = {}
    for place in sorted(set(places.tolist())):
        names = [name for name, at in zip(sizes, places, strict=True) if at == place]
        ends = sorted(rounded[name] for name in names)
        label = f"{ends[0]} px" if ends[0] == ends[-1] else f"{ends[0]} to {ends[-1]} px"
        found[label] = names
    return found


def _labels(value: object) -> tuple[str, ...]:
    if isinstance(value, bool):
        return ("yes" if value else "no",)
    if isinstance(value, str):
        return (value,) if value else ()
    if isinstance(value, list | tuple) and all(isinstance(one, str) and one for one in value):
        return tuple(value)
    return ()
