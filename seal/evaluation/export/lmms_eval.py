"""A run's answers as lmms-eval logs samples: JSON lines of doc_id, target, filtered_resps, input.

The keys are those that `save_results_samples` of EvolvingLMMs-Lab/lmms-eval 0.7
(lmms_eval/loggers/evaluation_tracker.py) writes for `--log_samples`. A metric carries the
question's id, category, score, prediction and ground_truth with it, as vstar_bench's does. Options
that were compared by likelihood have their losses, as tasks of output type multiple_choice have
them; whether an option would have been generated is not known.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from seal.evaluation.export.answers import ExportedAnswer, task_of
from seal.evaluation.named_tasks import task_named
from seal.evaluation.scorings.named import scoring_named
from seal.evaluation.tasks.spec import BenchmarkTask
from seal.evaluation.tasks.vstar_bench import SPLITS
from seal.text.letters import letter_question

_CATEGORIES = {split: category for category, split in SPLITS.items()}  # as vstar_bench names them


def lmms_eval_samples(answers: Sequence[ExportedAnswer], seed: int) -> Iterator[dict[str, Any]]:
    """A sample of each question; `seed`: the run's, from which its wordings are made again."""
    task = task_of(answers)
    judge = task_named(task).task()
    name = "vstar" if task == "vstar_bench" else task
    for answer in answers:
        losses = answer.losses
        by_losses = bool(losses)
        said: Any = answer.text or ""
        target = answer.truth
        if by_losses:
            said = [[str(float("nan") if loss is None else loss), "False"] for loss in losses]
            right = answer.question.answer
            target = None if right is None else str(answer.order.index(right))
        split = answer.question.split
        category = _CATEGORIES.get(split, split) if name == "vstar" else split
        result = {
            "question_id": answer.question.id,
            "category": category,
            "score": _score(answer, judge),
            "prediction": answer.letter,
            "ground_truth": answer.truth,
        }
        of_split = {f"{name}_{category}_acc": result} if category else {}
        content = json.dumps(answer.question.to_dict(), sort_keys=True)
        yield {
            "doc_id": answer.number,
            "target": "" if target is None else target,
            "filtered_resps": said,
            "token_counts": [_tokens(answer)],
            "doc_hash": hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest(),
            **of_split,
            f"{name}_overall_acc": result,
            "input": answer.question.text if by_losses else _prompt(answer, seed),
        }


def _score(answer: ExportedAnswer, judge: BenchmarkTask) -> float | None:
    """Of this wording; None: nobody knows what is right, or no judge has graded it yet."""
    if answer.question.options:
        if answer.truth is None:
            return None
        return float(answer.letter is not None and answer.letter == answer.truth)
    credit: float | None = judge.score(answer.question, answer.line)["credit"]
    return credit


def _prompt(answer: ExportedAnswer, seed: int) -> str:
    """How the question was put; of answers that came from elsewhere, at least with the options in
    the order in which they were shown.
    """
    scoring = scoring_named(answer.line["scoring"].partition("+")[0])
    for wording in scoring.wordings(answer.question, seed):
        if not answer.question.options or wording.order == answer.order:
            return wording.text
    if not answer.question.options:
        return answer.question.text
    return letter_question(answer.question.text, answer.question.options, answer.order)


def _tokens(answer: ExportedAnswer) -> dict[str, int] | None:
    spent = ((answer.line["answer"] or {}).get("cost") or {}).get("answer_model")
    if not spent:
        return None
    return {
        "input_tokens": round(spent["tokens_read"]),
        "output_tokens": round(spent["tokens_written"]),
    }
