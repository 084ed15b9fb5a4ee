"""Answers that have to be a label, word for word: GQA's rule, and A-OKVQA's for direct answers."""

from __future__ import annotations

from collections.abc import Sequence

ENOUGH = 3  # annotators who gave an answer make it right


def exact_match(answer: str, labels: Sequence[str]) -> float:
    """1 if the answer is a label, but for case, blanks and full stops at its end.

    GQA's eval.py compares texts as they are; its users lower the case and cut the full stop first
    (haotian-liu/LLaVA, scripts/convert_gqa_for_eval.py), which is done here.
    """
    return float(plain_answer(answer) in map(plain_answer, labels))


def agreed_answer(answer: str, labels: Sequence[str]) -> float:
    """In [0, 1]: a third for every annotator who gave this answer, at most 1.

    allenai/aokvqa, evaluation/eval_predictions.py. It compares texts as they are; case, blanks and
    full stops at the end are no difference here, as above.
    """
    if not labels:
        raise ValueError("an answer is judged by at least one label")
    said = plain_answer(answer)
    return min(1.0, sum(said == plain_answer(label) for label in labels) / ENOUGH)


def plain_answer(text: str) -> str:
    """Lower case, single blanks, no full stop at the end."""
    return " ".join(text.lower().split()).rstrip(". ")
