"""Check a copy of a benchmark: is every question there, and every picture, and what to do if not.

What cannot be read at all is an error of the reader, which names the file and the row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from seal.evaluation.benchmark_images import BenchmarkImages
from seal.evaluation.judged import OVERALL
from seal.evaluation.sources.hub import PREFIX
from seal.evaluation.task import TaskQuestion
from seal.evaluation.tasks.spec import TaskSpec
from seal.pages.table import Table

_NAMED = 3  # pictures or questions that a message names


@dataclass(frozen=True, slots=True)
class Checked:
    """What a copy holds, and what is wrong with it, each with what to do."""

    table: Table
    problems: tuple[str, ...]
    notes: tuple[str, ...]  # what is no fault of the copy


def check_copy(spec: TaskSpec, benchmark: str, *, open_images: bool = False) -> Checked:
    """Read the copy and compare it with the whole benchmark.

    open_images: decode every picture; else one that is there is taken for good.

    Raises:
        ValueError: it cannot be read.
    """
    task = spec.task(benchmark, require_images=False)
    questions = task.questions()
    lost = lost_pictures(questions, task.images, open_images)
    found: Counter[str] = Counter()
    blind: Counter[str] = Counter()
    for question in questions:
        splits = {*task.splits_of(question), question.split} - {""}
        found.update(splits)
        blind.update(splits if question.image in lost else ())
    named = sorted(dict.fromkeys([*spec.counts, *found]), key=OVERALL.__eq__)  # the whole last
    rows = tuple(
        (split, str(found[split]), str(spec.counts.get(split, "")), str(blind[split]))
        for split in named
    )
    head = ("split", "questions", "in the whole benchmark", "without their picture")
    title = f"{spec.name}, version {spec.version}, as {benchmark} has it"
    problems = [
        *_counts(spec, found, benchmark),
        *_pictures(spec, lost, benchmark),
        *_named_twice(questions),
    ]
    return Checked(Table(title, head, rows), tuple(problems), tuple(_notes(spec, questions)))


def lost_pictures(
    questions: Sequence[TaskQuestion], images: BenchmarkImages, open_images: bool
) -> dict[str, str]:
    """Name -> what is wrong, of the pictures that are not there or cannot be read."""
    lost: dict[str, str] = {}
    for name in dict.fromkeys(q.image for q in questions if q.image is not None):
        if not images.has(name):
            lost[name] = f"{name} is not there"
        elif open_images:
            try:
                images.open(name)
            except ValueError as error:
                lost[name] = str(error)
    return lost


def _counts(spec: TaskSpec, found: Mapping[str, int], benchmark: str) -> list[str]:
    wrong = {split: n for split, n in spec.counts.items() if found.get(split, 0) != n}
    if not wrong:
        return []
    told = ", ".join(f"{found.get(split, 0)} of {n} {split}" for split, n in wrong.items())
    more = any(found.get(split, 0) > n for split, n in wrong.items())
    what = "another version, or another set?" if more else "a part of it?"
    return [f"{told}: {what} The whole one is at {_where(spec, benchmark)}"]


def _pictures(spec: TaskSpec, lost: Mapping[str, str], benchmark: str) -> list[str]:
    if not lost:
        return []
    some = "; ".join(list(lost.values())[:_NAMED])
    return [
        f"{len(lost)} {'picture' if len(lost) == 1 else 'pictures'} cannot be shown, for example "
        f"{some}: benchmark= must name {spec.files}; get them from {_where(spec, benchmark)}"
    ]


def _named_twice(questions: Sequence[TaskQuestion]) -> list[str]:
    twice = [name for name, n in Counter(q.id for q in questions).items() if n > 1]
    if not twice:
        return []
    return [
        f"{len(twice)} ids stand for several questions, for example {', '.join(twice[:_NAMED])}: "
        "an answer could not be told from another; keep one row of each"
    ]


def _notes(spec: TaskSpec, questions: Sequence[TaskQuestion]) -> list[str]:
    notes = []
    if not spec.counts:
        notes.append("how many questions the whole benchmark has is not known here")
    hidden = [q for q in questions if (q.answer is None if q.options else not q.labels)]
    if hidden:
        notes.append(
            f"{len(hidden)} questions come without an answer that could be compared: a judge or "
            "the benchmark's own server grades them"
        )
    return notes


def _where(spec: TaskSpec, benchmark: str) -> str:
    hub = (
        ""
        if spec.hub is None or benchmark.startswith(PREFIX)
        else f", or benchmark={PREFIX}{spec.hub}"
    )
    return f"{spec.origin}{hub}"
