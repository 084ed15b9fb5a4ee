"""What a benchmark declares of itself, and the one `Task` that is made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from seal.evaluation.benchmark_images import BenchmarkImages, FolderImages
from seal.evaluation.judged import (
    Judged,
    SplitsOf,
    accuracy_by_split,
    judge_choice,
    own_and_overall,
)
from seal.evaluation.recorded.said import Recorded
from seal.evaluation.scorings.named import scoring_named
from seal.evaluation.search_scores import search_metrics, search_score
from seal.evaluation.sources.arrow_rows import read_parquet
from seal.evaluation.sources.hub import PREFIX, HubSource, read_hub
from seal.evaluation.sources.rows import Rows
from seal.evaluation.task import Prediction, TaskQuestion

Read: TypeAlias = tuple[list[TaskQuestion], BenchmarkImages]


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskSpec:
    """A benchmark: where it comes from, how it is read, put, judged and summed up."""

    name: str
    title: str  # one sentence
    version: str = "1"  # changes whenever a score could
    files: str  # what `benchmark=` must name: the official files
    hub: str | None = None  # id of its data set on the hub, which `hub:ID[@REVISION]` reads
    origin: str  # where it comes from, an address
    licence: str
    counts: Mapping[str, int]  # questions of each split in the whole benchmark; {}: not known
    scorings: tuple[str, ...]  # the first is the default
    read: Callable[[Path], Read]  # of the official files on disk
    read_rows: Callable[[Rows], Read] | None = None  # of the hub's rows, or their parquet files
    # Both are pure functions; `judge` returns "credit", "correct", "tie", "invalid", "chosen".
    judge: Callable[[TaskQuestion, Prediction], dict[str, Any]] = judge_choice
    # (predictions, seed) -> split -> metrics; None: accuracy by split.
    metrics: Callable[[Sequence[Judged], int], dict[str, dict[str, Any]]] | None = None
    main: str = "accuracy"  # the metric that tables show
    splits_of: SplitsOf = own_and_overall
    # Other systems' answers in the benchmark's own form: (file, questions if known) -> both; None:
    # it is another form.
    recorded: Callable[[Path, Sequence[TaskQuestion] | None], Recorded | None] | None = None

    def task(
        self, benchmark: str = "", *, limit: int | None = None, require_images: bool = True
    ) -> BenchmarkTask:
        """The task; `benchmark`: where it lies, "" where predictions exist and are only judged."""
        return BenchmarkTask(self, benchmark, limit=limit, require_images=require_images)


class BenchmarkTask:
    """A `Task` from its declaration. What is on disk is read when it is first wanted."""

    def __init__(
        self,
        spec: TaskSpec,
        benchmark: str,
        *,
        limit: int | None = None,
        require_images: bool = True,
    ) -> None:
        """
        limit: only the first questions of each split.
        require_images: refuse to begin where pictures are missing; half a benchmark is another.
        """
        if limit is not None and limit < 1:
            raise ValueError(f"limit={limit} must be at least 1; null takes all questions")
        self.spec, self.benchmark = spec, benchmark
        self.limit, self.require_images = limit, require_images
        self.name, self.version, self.main = spec.name, spec.version, spec.main
        self._read: Read | None = None

    def questions(self) -> list[TaskQuestion]:
        return self._content()[0]

    @property
    def images(self) -> BenchmarkImages:
        return self._content()[1] if self.benchmark else FolderImages(Path("nowhere"))

    def splits_of(self, question: TaskQuestion) -> tuple[str, ...]:
        return self.spec.splits_of(question)

    def score(self, question: TaskQuestion, prediction: Prediction) -> dict[str, Any]:
        """What the benchmark's own judge says; and how the search for annotated targets went."""
        return self.spec.judge(question, prediction) | search_score(question, prediction)

    def metrics(self, predictions: Sequence[Prediction], *, seed: int = 0) -> dict[str, Any]:
        judged = []
        for line in predictions:
            question = TaskQuestion.from_dict(line["question"])
            judged.append(Judged(question, line, self.score(question, line)))
        if self.spec.metrics is not None:
            found = self.spec.metrics(judged, seed)
        else:
            found = accuracy_by_split(judged, seed, self.spec.splits_of)
        for split, metrics in found.items():
            of = [j for j in judged if split in self.splits_of(j.question)]
            clusters = [j.question.cluster for j in of]
            metrics.update(search_metrics([j.score for j in of], clusters, seed))
        return found

    def _content(self) -> Read:
        if self._read is None:
            questions, images = self._read_all()
            kept: list[TaskQuestion] = []
            for split in dict.fromkeys(question.split for question in questions):
                kept += [q for q in questions if q.split == split][: self.limit]
            if len(kept) == len(questions):
                kept = questions  # as they stand, where splits are mixed
            if self.require_images:
                self._check_images(kept, images)
            self._read = kept, images
        return self._read

    def _read_all(self) -> Read:
        name = self.spec.name
        if not self.benchmark:
            raise ValueError(f"{name} is not at hand: benchmark= must name {self.spec.files}")
        usual = self.spec.hub
        if self.benchmark.startswith(PREFIX):
            if self.spec.read_rows is None:
                raise ValueError(f"{name} is not read from the hub: give {self.spec.files}")
            return self.spec.read_rows(read_hub(HubSource.parse(self.benchmark).completed(usual)))
        path = Path(self.benchmark)
        if not path.exists():
            raise ValueError(f"{path} is not a folder, nor a file: give {self.spec.files}")
        if self.spec.read_rows is None or not is_parquet(path):
            return self.spec.read(path)
        part = None if usual is None else HubSource.parse(usual)
        config, split = (None, None) if part is None else (part.config, part.split)
        return self.spec.read_rows(read_parquet(path, config=config, split=split))

    def _check_images(self, questions: Sequence[TaskQuestion], images: BenchmarkImages) -> None:
        lost = [q for q in questions if q.image is not None and not images.has(q.image)]
        if lost:
            names = ", ".join(str(q.image) for q in lost[:3])
            raise ValueError(
                f"{self.benchmark}: {len(lost)} of {len(questions)} questions have no image, for "
                f"example {names}"
            )


def is_parquet(path: Path) -> bool:
    """Whether this is a copy of a hub's data set: a parquet file, or a folder of such files."""
    if path.is_file():
        return path.suffix == ".parquet"
    return next(path.rglob("*.parquet"), None) is not None


def default_scoring(spec: TaskSpec, scoring: str | None) -> str:
    """The scoring that is meant.

    Raises:
        ValueError: the task has no such scoring.
    """
    name = scoring or spec.scorings[0]
    if name not in spec.scorings:
        raise ValueError(
            f"scoring={name!r} is none of {', '.join(spec.scorings)}, in which {spec.name} is put"
        )
    return scoring_named(name).name
