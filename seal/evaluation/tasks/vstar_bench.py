"""V*Bench: questions about small things in large photographs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seal.evaluation.judging import choose
from seal.evaluation.task import AnnotatedTarget, Prediction, TaskQuestion
from seal.evaluation.tasks.vstar_files import check_images, read_questions
from seal.geometry import Box
from seal.metrics.boxes import HIT_IOU, best_iou
from seal.metrics.intervals import mean, proportion

OVERALL = "overall"
# Our own addition, read where it is there: targets that are not in the image. It measures
# something else, so it stays out of the overall number.
ABSENT = "absent"


@dataclass(kw_only=True, slots=True)
class VStarBenchConfig:
    """Where the benchmark lies."""

    folder: str  # holds the split folders, or test_questions.jsonl
    # Folder, or category of the JSONL form -> split name in the results.
    splits: dict[str, str] = field(
        default_factory=lambda: {
            "direct_attributes": "attribute",
            "relative_position": "spatial",
            "absent_targets": ABSENT,
        }
    )
    limit: int | None = None  # only the first questions of each split
    require_images: bool = True  # False: predictions exist already and are only judged

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"limit={self.limit} must be at least 1; null takes all questions")
        if not self.splits or OVERALL in self.splits.values():
            raise ValueError(
                f"splits={self.splits} must name at least one folder, and {OVERALL!r} is taken"
            )

    def build(self) -> VStarBench:
        return VStarBench(self)


class VStarBench:
    """Accuracy by split; and how the search for the annotated targets went."""

    name = "vstar_bench"
    version = "1"

    def __init__(self, config: VStarBenchConfig) -> None:
        self.config = config
        self.folder = Path(config.folder)

    def splits_of(self, question: TaskQuestion) -> tuple[str, ...]:
        return (question.split,) if question.split == ABSENT else (question.split, OVERALL)

    def questions(self) -> list[TaskQuestion]:
        """Split by split, sorted by file name (folders) or in the order of the file (JSONL)."""
        read = read_questions(self.folder, self.config.splits)
        chosen: list[TaskQuestion] = []
        for split in dict.fromkeys(self.config.splits.values()):
            chosen += [q for q in read if q.split == split][: self.config.limit]
        if self.config.require_images:
            check_images(self.folder, chosen)
        return chosen

    def score(self, question: TaskQuestion, prediction: Prediction) -> dict[str, Any]:
        """Whether the chosen option is the true one, and which annotated targets were found."""
        answer = prediction["answer"]
        if answer is None:  # the question could not be put: its image is damaged, say
            return {"correct": False, "tie": False, "invalid": True, "chosen": None}
        choice = choose(question, prediction)
        score: dict[str, Any] = {
            "correct": choice.option is not None and choice.option == question.answer,
            "tie": choice.tie,
            "invalid": choice.invalid,
            "chosen": choice.option,
        }
        if "seconds" in answer.get("cost", {}):
            score["seconds"] = sum(answer["cost"]["seconds"].values())
        # Answers of other programs come without searches, and `none` makes none.
        if prediction["system"] != "none" and "searches" in answer:
            searches = answer["searches"]
            score["searched"] = bool(searches)
            score["target_hits"] = [_steps_to(t, searches) for t in question.targets if t.boxes]
            score["visits"] = sum(len(search["path"]) for search in searches)
            score["calls"] = sum(sum(search["calls"].values()) for search in searches)
        return score

    def metrics(self, predictions: Sequence[Prediction], *, seed: int = 0) -> dict[str, Any]:
        by_split: dict[str, list[dict[str, Any]]] = {
            name: [] for name in dict.fromkeys([*self.config.splits.values(), OVERALL])
        }
        for prediction in predictions:
            question = TaskQuestion.from_dict(prediction["question"])
            for split in self.splits_of(question):
                by_split[split].append(self.score(question, prediction))
        return {
            split: _split_metrics(scores, seed)
            for split, scores in by_split.items()
            if scores or split != ABSENT
        }


def _split_metrics(scores: list[dict[str, Any]], seed: int) -> dict[str, Any]:
    invalid = sum(score["invalid"] for score in scores)
    metrics: dict[str, Any] = {
        "accuracy": proportion([s["correct"] for s in scores], invalid=invalid).to_dict(),
        "ties": sum(score["tie"] for score in scores),
    }
    timed = [score["seconds"] for score in scores if "seconds" in score]
    if timed:
        # Systems of one run share what they can: to time a system, run it alone.
        metrics["seconds"] = mean(timed, seed=seed).to_dict()
    searched = [score for score in scores if "searched" in score]
    if searched:
        hits = [steps for score in searched for steps in score["target_hits"]]
        lengths = [float(steps) for steps in hits if steps is not None]
        metrics |= {
            "searched": proportion([s["searched"] for s in searched]).to_dict(),
            "target_hit": proportion([steps is not None for steps in hits]).to_dict(),
            "search_length": mean(lengths, invalid=len(hits) - len(lengths), seed=seed).to_dict(),
            "visits": mean([s["visits"] for s in searched], seed=seed).to_dict(),
            "model_calls": mean([s["calls"] for s in searched], seed=seed).to_dict(),
        }
    return metrics


def _steps_to(target: AnnotatedTarget, searches: Sequence[dict[str, Any]]) -> int | None:
    """Length of the search that found an annotated target, whatever name it was sought by."""
    for search in searches:
        boxes = [Box(*edges) for edges in search["boxes"]] if search["found"] else []
        if any(best_iou(box, target.boxes) > HIT_IOU for box in boxes):
            steps: int = search["num_steps"]
            return steps
    return None
