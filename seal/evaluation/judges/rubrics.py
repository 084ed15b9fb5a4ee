"""Which tasks are graded by a judge, and how each of them is."""

from __future__ import annotations

from seal.evaluation.judges.llava_bench import LLaVABenchRubric
from seal.evaluation.judges.mm_vet import MMVetRubric
from seal.evaluation.judges.rubric import Rubric
from seal.evaluation.judges.visual_probe import VisualProbeRubric

RUBRICS: dict[str, Rubric] = {
    "mm_vet": MMVetRubric(),
    "llava_bench": LLaVABenchRubric(),
    "visual_probe": VisualProbeRubric(),
    "zoom_bench": VisualProbeRubric("zoom_bench/1"),
}


def rubric_of(task: str) -> Rubric:
    """Raises a ValueError for a task that is scored without a judge."""
    if task not in RUBRICS:
        raise ValueError(
            f"task={task} is scored without a judge; one grades {', '.join(RUBRICS)}: "
            "leave judge= away; seal eval/score scores what is there"
        )
    return RUBRICS[task]
