"""Visual search: the annotated targets of a benchmark, each to be found in its picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from seal.evaluation.benchmark_images import BenchmarkImages
from seal.evaluation.task import (
    AnnotatedTarget,
    TaskQuestion,
    merged,
    target_to_dict,
)


@dataclass(frozen=True, slots=True)
class SearchTarget:
    """One thing to look for in one image."""

    id: str
    image: str  # a name among the benchmark's pictures
    target: AnnotatedTarget
    meta: dict[str, Any] = field(default_factory=dict)  # what else is known of it; JSON

    def to_dict(self) -> dict[str, Any]:
        """What a prediction line holds."""
        more = {"meta": self.meta} if self.meta else {}
        return {"id": self.id, "image": self.image, **target_to_dict(self.target), **more}


class SearchTask(Protocol):
    """Targets to look for, and the pictures they are in."""

    name: str
    version: str  # changes whenever a score could
    images: BenchmarkImages

    def targets(self) -> list[SearchTarget]:
        """All of them, in a fixed order; every name once an image."""
        ...


class VisualSearch:
    """The annotated targets of a benchmark, sought without any VQA LLM."""

    name = "visual_search"
    version = "1"

    def __init__(self, images: BenchmarkImages, questions: Sequence[TaskQuestion]) -> None:
        self.images = images
        self.questions = questions

    def targets(self) -> list[SearchTarget]:
        """Every name once an image, with all its boxes, in the order of the questions."""
        seen: dict[tuple[str, str], SearchTarget] = {}
        for question in self.questions:
            assert question.image is not None  # the reader refuses questions without
            for target in question.targets:
                key = question.image, target.name
                name = f"{question.id}/{target.name}"
                first = seen.setdefault(key, SearchTarget(name, question.image, target))
                boxes = merged(first.target.boxes, target.boxes)
                seen[key] = replace(first, target=replace(first.target, boxes=boxes))
        return list(seen.values())
