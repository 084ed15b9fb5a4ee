"""The order of options in which other programs show them: the benchmark file's, unless it tells."""

from __future__ import annotations

from seal.evaluation.judging import presented_order
from seal.evaluation.task import TaskQuestion

SHUFFLED = "shuffled"  # in `meta`: the file's order of options does not tell which is true


def file_order(question: TaskQuestion, seed: int) -> tuple[int, ...]:
    """Which option stands at each place.

    As in the file where that is shuffled (V*Bench's test_questions.jsonl, which the harnesses
    read). Files that list the true option first (V*Bench's folders) would give it away: there it is
    a permutation of the seed and the question, and so not the order that a harness showed.
    """
    if question.meta.get(SHUFFLED):
        return tuple(range(len(question.options)))
    return tuple(presented_order(len(question.options), question.id, seed))
