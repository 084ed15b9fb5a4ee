"""How free answers are judged: as ViCrop judged them, and by the benchmark's own rule.

The two are never mixed: `released` is for comparing with ViCrop's published numbers, `standard`
with everybody else's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from seal.evaluation.judged import share
from seal.evaluation.judging import by_letter
from seal.metrics.anls import anls
from seal.metrics.exact_match import exact_match
from seal.metrics.metric import Metric
from seal.metrics.vicrop_scores import (
    docvqa_credit,
    gqa_credit,
    pope_credit,
    vqa_credit,
    vstar_credit,
)
from seal.metrics.vqa_accuracy import vqa_accuracy
from seal.metrics.yes_no import says_yes, yes_no_metrics
from seal.text.letters import LETTERS

Labels: TypeAlias = "str | list[str]"
_LETTERED = re.compile(r"\s*\(?([A-Z])[).:]\s*(\S.*)")


@dataclass(frozen=True, slots=True)
class Answered:
    """A question, its labels as their file has them, and what was said; None: nothing was."""

    question: str
    labels: Labels
    answer: str | None
    image: str | None = None  # what an interval resamples, where it is known


Credit: TypeAlias = Callable[[Answered, str], float | None]


@dataclass(frozen=True, slots=True)
class Scorer:
    """Both judgements of an answer: a fraction of a right one, or None where it is unusable."""

    released: Credit  # may raise ValueError, where the original fails
    standard: Credit
    more: Callable[[Sequence[Answered], int], dict[str, Metric]] | None = None  # rows, seed

    def metrics(self, rows: Sequence[Answered], *, seed: int = 0) -> dict[str, Metric]:
        """`released`, `standard`, and what else the benchmark reports.

        What the original cannot judge is left out of `released`; an answer that is missing or
        unusable earns 0 in `standard`. Both are counted in `invalid`.
        """
        clusters = clusters_of(rows)
        released = [(self.credit_released(row), of) for row, of in zip(rows, clusters, strict=True)]
        known = [(credit, of) for credit, of in released if credit is not None]
        credits = [self.credit_standard(row) for row in rows]
        unusable = sum(credit is None for credit in credits)
        found = {
            "released": share(
                [credit for credit, _ in known],
                [of for _, of in known],
                invalid=len(rows) - len(known),
                seed=seed,
            ),
            "standard": share(
                [credit or 0.0 for credit in credits], clusters, invalid=unusable, seed=seed
            ),
        }
        return found | (self.more(rows, seed) if self.more is not None else {})

    def credit_released(self, row: Answered) -> float | None:
        if row.answer is None:
            return None
        try:
            return self.released(row, row.answer)
        except ValueError:
            return None

    def credit_standard(self, row: Answered) -> float | None:
        """None as well where there is no label to judge by."""
        return None if row.answer is None or not row.labels else self.standard(row, row.answer)


def clusters_of(rows: Sequence[Answered]) -> list[str]:
    """What each row is resampled with: those of its image, else nothing."""
    return [f"#{n}" if row.image is None else f"={row.image}" for n, row in enumerate(rows)]


def _listed(labels: Labels) -> list[str]:
    return [labels] if isinstance(labels, str) else labels


def _one(labels: Labels) -> str:
    return labels if isinstance(labels, str) else next(iter(labels), "")


def _yes_no(row: Answered, answer: str) -> float | None:
    said = says_yes(answer)
    return None if said is None else float(said == _is_yes(row))


def _is_yes(row: Answered) -> bool:
    return _one(row.labels).strip().lower() == "yes"


def _yes_no_more(rows: Sequence[Answered], seed: int) -> dict[str, Metric]:
    said = [None if row.answer is None else says_yes(row.answer) for row in rows]
    found = yes_no_metrics(
        said, [_is_yes(row) for row in rows], clusters=clusters_of(rows), seed=seed
    )
    del found["accuracy"]  # it is `standard`
    return found


def _letter(row: Answered, answer: str) -> float | None:
    """Whether the answer names the letter of the label, or the words of its option."""
    lines = [_LETTERED.match(line) for line in row.question.splitlines()[1:]]
    options = [line[2] for line in lines if line is not None]
    if len(options) < 2:
        return None
    choice = by_letter(answer, options, range(len(options)))
    true = re.search(r"[A-Z]", _one(row.labels).upper())
    if choice.option is None or true is None:
        return None
    return float(LETTERS[choice.option] == true[0])


_VQA = Scorer(
    lambda row, answer: vqa_credit(answer, row.labels),
    lambda row, answer: vqa_accuracy(answer, _listed(row.labels)),
)
SCORERS = {
    "vicrop_textvqa": _VQA,
    "vicrop_vqav2": _VQA,
    "vicrop_aokvqa": _VQA,
    "vicrop_gqa": Scorer(
        lambda row, answer: gqa_credit(answer, row.labels),
        lambda row, answer: exact_match(answer, _listed(row.labels)),
    ),
    "vicrop_docvqa": Scorer(
        lambda row, answer: docvqa_credit(answer, row.labels),
        lambda row, answer: anls(answer, _listed(row.labels)),
    ),
    "vicrop_pope": Scorer(
        lambda row, answer: pope_credit(answer, row.labels), _yes_no, _yes_no_more
    ),
    "vicrop_vstar": Scorer(
        lambda row, answer: vstar_credit(row.question, answer, row.labels), _letter
    ),
}
