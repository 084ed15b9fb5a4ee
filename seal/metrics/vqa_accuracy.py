"""VQA accuracy: how much of an annotator's company an answer has, each annotator left out once."""

from __future__ import annotations

from collections.abc import Sequence

from seal.metrics.vqa_answers import comparable_answer

ENOUGH = 3  # other annotators who agree make an answer right


def vqa_accuracy(answer: str, labels: Sequence[str]) -> float:
    """In [0, 1]: over every annotator left out, the mean of min(agreeing others / 3, 1).

    With fewer than three others all of them have to agree; a single label has to be the answer.
    An answer of which nothing is left but articles is taken as it stands, but for case and
    punctuation. The published code (GT-Vision-Lab/VQA, vqaEval.py) compares texts as they are where
    all annotators agree, "Yes" with "yes"; here they are always normalized, as the harnesses do
    before they call it.
    """
    if not labels:
        raise ValueError("an answer is judged by at least one label")
    said = comparable_answer(answer)
    agree = [said == comparable_answer(label) for label in labels]
    if len(labels) == 1:
        return float(agree[0])
    enough = min(ENOUGH, len(labels) - 1)
    return sum(min((sum(agree) - one) / enough, 1.0) for one in agree) / len(labels)
