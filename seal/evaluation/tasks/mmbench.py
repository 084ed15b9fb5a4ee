"""MMBench: every question in all rotations of its options, and right only if all answers are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seal.evaluation.judged import OVERALL, Judged, accuracy, by_split, judge_choice, share
from seal.evaluation.task import Prediction, TaskQuestion
from seal.evaluation.tasks.mmbench_files import read, read_rows, recorded
from seal.evaluation.tasks.spec import TaskSpec


def judge(question: TaskQuestion, line: Prediction) -> dict[str, Any]:
    """The choice; not judged where the benchmark keeps its answer back."""
    score = judge_choice(question, line)
    if question.answer is None:
        score |= {"credit": None, "correct": False}
    return score


def splits_of(question: TaskQuestion) -> tuple[str, ...]:
    """Its ability, the group of abilities that this is of, and all."""
    group = question.meta.get("l2_category")
    return tuple(dict.fromkeys(filter(None, (question.split, group, OVERALL))))


def metrics(judged: Sequence[Judged], seed: int) -> dict[str, dict[str, Any]]:
    """`circular`: the share of questions whose copies were all answered rightly; the official
    number, as `mcq_circular_eval` of VLMEvalKit has it. `accuracy`: over all rows; `vanilla`: over
    the first copy of each question.

    `incomplete` counts questions with fewer copies than they have options that change places: the
    official number takes them as they are. Where no question has copies there is none.
    """
    copied = len({j.question.meta["group"] for j in judged}) < len(judged)
    return {split: _metrics(of, copied, seed) for split, of in by_split(judged, splits_of).items()}


def _metrics(judged: Sequence[Judged], copied: bool, seed: int) -> dict[str, Any]:
    known = [j for j in judged if j.score["credit"] is not None]
    groups: dict[str, list[Judged]] = {}
    for one in known if copied else ():
        groups.setdefault(one.question.meta["group"], []).append(one)
    every = [float(all(j.score["correct"] for j in of)) for of in groups.values()]
    unread = sum(any(j.score["invalid"] for j in of) for of in groups.values())
    clusters = [of[0].question.cluster for of in groups.values()]
    first = [j for j in known if j.question.id == j.question.meta["group"]]
    return {
        "circular": share(every, clusters, invalid=unread, seed=seed).to_dict(),
        "vanilla": accuracy(first, seed)["accuracy"],
        **accuracy(judged, seed),
        "incomplete": sum(map(_is_incomplete, groups.values())),
    }


def _is_incomplete(copies: Sequence[Judged]) -> bool:
    """An option such as "all of these" stays where it is: only the others change places."""
    shown = [j.question.options for j in copies]
    moving = sum(len({options[place] for options in shown}) > 1 for place in range(len(shown[0])))
    return len(copies) < (moving or 2)


def _spec(name: str, title: str, files: str, config: str, scoring: str) -> TaskSpec:
    return TaskSpec(
        name=name,
        title=title,
        files=f"the official .tsv with its circular copies, such as {files}",
        hub=f"lmms-lab/MMBench:{config}:dev",
        origin="https://github.com/open-compass/MMBench",
        licence="Apache-2.0; the pictures are their owners'",
        counts={},  # its editions and splits are of several sizes
        scorings=(
            scoring, "letter_vlmevalkit", "likelihood", "letter", "letter_cyclic", "string",
        ),
        read=read,
        read_rows=read_rows,
        judge=judge,
        metrics=metrics,
        main="circular",
        splits_of=splits_of,
        recorded=recorded,
    )  # fmt: skip


SPECS = [
    _spec(
        "mmbench",
        "MMBench: abilities of perception and reasoning, options in every rotation",
        "mmbench_dev_20230712.tsv (4377 rows) or MMBench_DEV_EN.tsv",
        "en",
        "letter_llava",
    ),
    _spec(
        "mmbench_cn",
        "MMBench-CN: the same in Chinese",
        "mmbench_dev_cn_20231003.tsv or MMBench_DEV_CN.tsv",
        "cn",
        "letter_llava_cn",
    ),
]
