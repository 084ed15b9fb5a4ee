"""What a benchmark is: questions, and pure functions from stored predictions to numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from seal.evaluation.benchmark_images import BenchmarkImages
from seal.geometry import Box

# One line of predictions.jsonl. It holds its question, so a score needs nothing else.
Prediction: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AnnotatedTarget:
    """Something a question is about. `boxes` in image pixels; () = it is not in the image."""

    name: str
    boxes: tuple[Box, ...] = ()
    group: str = ""  # e.g. whether it stands where such things usually stand


def merged(first: Sequence[Box], more: Sequence[Box]) -> tuple[Box, ...]:
    """Every box once: things of one name in one image are all what that name looks for."""
    return tuple(dict.fromkeys((*first, *more)))


@dataclass(frozen=True, slots=True)
class TaskQuestion:
    """One question of a benchmark. `answer` indexes `options`; None: free text is judged.

    `meta["group"]` marks questions that are one question put in several ways.
    """

    id: str
    text: str
    image: str | None = None  # its name among the task's images
    options: tuple[str, ...] = ()
    answer: int | None = None
    split: str = ""
    targets: tuple[AnnotatedTarget, ...] = ()
    meta: dict[str, Any] = field(default_factory=dict)
    labels: tuple[str, ...] = ()  # the right answers in words, of a question without options
    picture: str = ""  # what its picture is known by, where `image` is no name of its own

    @property
    def cluster(self) -> str:
        """What an interval resamples: questions about one picture stand or fall together."""
        return self.picture or self.image or self.id

    def to_dict(self) -> dict[str, Any]:
        """What a prediction line holds."""
        return {
            "id": self.id,
            "text": self.text,
            "image": self.image,
            "options": list(self.options),
            "answer": self.answer,
            "split": self.split,
            "targets": [target_to_dict(target) for target in self.targets],
            "meta": self.meta,
            "labels": list(self.labels),
            **({"picture": self.picture} if self.picture else {}),
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> TaskQuestion:
        """What `to_dict` wrote."""
        return cls(
            content["id"],
            content["text"],
            content["image"],
            tuple(content["options"]),
            content["answer"],
            content["split"],
            tuple(target_from_dict(target) for target in content["targets"]),
            content["meta"],
            tuple(content.get("labels", ())),  # unknown to lines of before
            content.get("picture", ""),
        )


def target_to_dict(target: AnnotatedTarget) -> dict[str, Any]:
    """JSON of an annotated target, boxes as xyxy."""
    boxes = [[box.x0, box.y0, box.x1, box.y1] for box in target.boxes]
    return {"name": target.name, "boxes": boxes, "group": target.group}


def errors_of(predictions: Sequence[Prediction]) -> list[str]:
    """What went wrong, each thing once and in one line; a line of a fault has its trace besides."""
    return sorted({line["error"].split("\n")[0] for line in predictions if line["error"]})


def target_from_dict(content: dict[str, Any]) -> AnnotatedTarget:
    """What `target_to_dict` wrote."""
    boxes = tuple(Box(*edges) for edges in content["boxes"])
    return AnnotatedTarget(content["name"], boxes, content["group"])


class Task(Protocol):
    """A benchmark. It never sees a model: models make predictions, a task judges them."""

    name: str
    version: str  # changes whenever a score could
    main: str  # the metric that stands for a system in tables

    @property
    def images(self) -> BenchmarkImages: ...

    def questions(self) -> list[TaskQuestion]:
        """All of them, in a fixed order."""
        ...

    def splits_of(self, question: TaskQuestion) -> tuple[str, ...]:
        """The splits, in the results, that a question counts in."""
        ...

    def score(self, question: TaskQuestion, prediction: Prediction) -> dict[str, Any]:
        """What one prediction earns; a pure function."""
        ...

    def metrics(self, predictions: Sequence[Prediction], *, seed: int = 0) -> dict[str, Any]:
        """Splits -> metrics of one system's predictions; a pure function."""
        ...
