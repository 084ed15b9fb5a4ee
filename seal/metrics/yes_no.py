"""Yes-or-no questions about what is in an image: accuracy, and the errors of each kind."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from seal.metrics.intervals import bootstrap, proportion, ratio
from seal.metrics.metric import Metric

_WORD = re.compile(r"\b(yes|no|not)\b", re.IGNORECASE)


def says_yes(answer: str) -> bool | None:
    """What the first "yes", "no" or "not" of an answer says; None: it has none of them."""
    found = _WORD.search(answer)
    return None if found is None else found[1].lower() == "yes"


def yes_no_metrics(
    said: Sequence[bool | None], true: Sequence[bool], *, seed: int = 0
) -> dict[str, Metric]:
    """Accuracy, and precision, recall and F1 of "yes", and the share of answers that are "yes".

    An answer that says neither counts as wrong, and as no "yes", and is told in `invalid`.
    """
    if len(said) != len(true):
        raise ValueError(f"{len(said)} answers to {len(true)} questions")
    unclear = sum(answer is None for answer in said)
    hits = [float(answer is True and truth) for answer, truth in zip(said, true, strict=True)]
    called = [float(answer is True) for answer in said]
    there = [float(truth) for truth in true]
    return {
        "accuracy": proportion(
            [answer is truth for answer, truth in zip(said, true, strict=True)], invalid=unclear
        ),
        "precision": ratio(hits, called, invalid=unclear, seed=seed),
        "recall": ratio(hits, there, invalid=unclear, seed=seed),
        "f1": bootstrap(
            np.array([hits, called, there]).T.reshape(-1, 3), _f1, invalid=unclear, seed=seed
        ),
        "yes": proportion([answer is True for answer in said], invalid=unclear),
    }


def _f1(means: np.ndarray) -> np.ndarray:
    """2 hits / (called + there), which is the harmonic mean of precision and recall."""
    both = means[..., 1] + means[..., 2]
    return np.divide(2 * means[..., 0], both, out=np.zeros_like(both), where=both > 0)
