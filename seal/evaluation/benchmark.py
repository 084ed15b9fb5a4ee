"""What eval/benchmark is told, and what it does with it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from seal.evaluation.choices import (
    ModelChoice,
    SearchNumbers,
    ViCropNumbers,
    check_constant_answer,
    guide_settings,
)
from seal.evaluation.controls import controlled_system, searches_as
from seal.evaluation.environment import environment
from seal.evaluation.grading import grade_folder
from seal.evaluation.judges.config import JudgeConfig, check_judge
from seal.evaluation.judges.judge import Judge
from seal.evaluation.judges.rubrics import RUBRICS, rubric_of
from seal.evaluation.named_tasks import task_named
from seal.evaluation.results.failures import FAILURES, write_failures
from seal.evaluation.results.results_page import RESULTS
from seal.evaluation.run import Benchmark
from seal.evaluation.run_metrics import benchmark_metrics, write_metrics
from seal.evaluation.scorings.named import scoring_named
from seal.evaluation.shards import Shard, shard_of_run
from seal.evaluation.shared_search import units
from seal.evaluation.shown_systems import shown_ways
from seal.evaluation.store import ENVIRONMENT, require_own_folder, settle, write_json
from seal.evaluation.systems import Systems, check_systems
from seal.evaluation.task import Task, TaskQuestion
from seal.evaluation.tasks.spec import default_scoring
from seal.files.fingerprint import fingerprint
from seal.inference.answers.chat_options import ChatOptions
from seal.inference.answers.showing import read_granularity
from seal.inference.build_locator import check_guide
from seal.inference.guides.config import GuideConfig
from seal.inference.hub import model_folder
from seal.inference.vicrop.config import ViCropConfig
from seal.pipeline import ProtocolConfig
from seal.pipeline.planner import PlannerConfig
from seal.search.strategies import SEARCHES, STRATEGIES, VICROP

# Settings that change how a run is carried out, not one of its predictions. What the benchmark's
# folder holds is compared question by question, wherever it lies.
FREE = (
    "out", "benchmark", "questions", "vqa", "vsm", "guide_models", "systems", "baseline",
    "control_of", "limit", "batch", "max_batch", "cache_mb", "lookahead", "concurrency",
    "prepare", "graphs", "device", "judge", "judge_api_key_env", "judging", "dry_run",
)  # fmt: skip


@dataclass(kw_only=True, slots=True)
class BenchmarkRun(ModelChoice):
    """conf/eval.yaml"""

    task: str = "vstar_bench"  # one of `seal eval/tasks`
    # Where it lies: a folder or file, or hub:ID[@REVISION] (`data` is the group of training sets).
    benchmark: str
    vqa: str  # the VQA LLM or any image-text model (folder, hub id), or a server's address
    vsm: str | None = None  # of the search model; not needed for none and oracle
    out: str  # where everything goes; the same command continues what is there
    # none, oracle (or oracle_crop), searches, and controls: random_crop, crop_black, ..._placed;
    # with pictures shown in another way behind @: guided@auto, none@36, oracle@consistent
    systems: list[str] = field(default_factory=lambda: ["guided"])
    control_of: str | None = None  # the search that is controlled; None: the first of systems
    baseline: str = "none"  # the system that the others are compared with, if it is among them
    protocol: str = "default"  # default | as_released: the original's quirks
    # How finely an answer model with levels reads pictures: auto (its router picks) or a level;
    # None: as it was trained.
    granularity: str | None = None
    # How questions are put and answers read (`seal eval/tasks`); None: the task's own way.
    scoring: str | None = None
    targets: str = "model"  # model | annotated: who says what to search for
    share_search: bool = False  # one search for the rows that put one question in several ways
    planner: PlannerConfig = field(default_factory=PlannerConfig)  # who says what is missing
    guide: GuideConfig = field(default_factory=GuideConfig)  # what searches ask
    search: SearchNumbers = field(default_factory=SearchNumbers)
    vicrop: ViCropNumbers = field(default_factory=ViCropNumbers)
    chat: ChatOptions = field(default_factory=ChatOptions)  # of an answer model that is not SEAL's
    limit: int | None = None  # questions of each split; None: all
    batch: int = 8  # questions at a time; their searches advance side by side
    # Grades the answers of tasks that need one, as http://HOST:PORT/v1#MODEL; see eval/judge.
    judge: str | None = None
    judge_api_key_env: str = "OPENAI_API_KEY"  # the variable that holds the judge's key
    judging: JudgeConfig = field(default_factory=JudgeConfig)  # how it is asked
    seed: int = 0  # of intervals and of the order in which options are presented
    dry_run: bool = False  # say what would be run, then stop

    def __post_init__(self) -> None:
        ModelChoice.__post_init__(self)  # `super()` does not work in a class with slots
        spec = task_named(self.task)
        self.task, self.scoring = spec.name, default_scoring(spec, self.scoring)
        if self.scoring == "as_released":
            self.protocol = "as_released"
        if self.batch < 1 or self.seed < 0:
            raise ValueError(
                f"batch={self.batch} must be at least 1 and seed={self.seed} not negative"
            )
        if self.judge is not None:
            rubric_of(self.task)
            check_judge(self.judge, self.judge_api_key_env)
        check_systems(self.systems)
        if self.granularity is not None:  # a level of a file is a number
            self.granularity = str(read_granularity(self.granularity))
        if self.baseline not in (*self.systems, "none"):
            raise ValueError(
                f"baseline={self.baseline} is none of systems={self.systems}: nothing could be "
                "compared with it"
            )
        controlled_system(self.systems, self.control_of)  # says what is wrong with it
        ProtocolConfig.named(self.protocol)
        if self.needs_vsm and self.vsm is None and self.guide == GuideConfig():
            raise ValueError(
                f"systems={self.systems} search with a model: set vsm=FOLDER or another guide=, or "
                f"choose from {', '.join(name for name in SEARCHES if name not in STRATEGIES)}"
            )
        for name in self.searches:
            check_guide(name, self.guide, answers=True)
        if self.needs_search_model:
            self.guide.require_models(answers=True, vsm=self.vsm is not None)
        self.vicrop.applied_to(ViCropConfig())  # says what is wrong with it

    @property
    def searches(self) -> list[str]:
        """What the systems do to find things; a control does what the system it controls does."""
        controlled = controlled_system(self.systems, self.control_of)
        return [searches_as(name, controlled) for name in self.systems]

    @property
    def shown(self) -> list[str]:
        """Every way in which pictures are shown, but for the answer model's own."""
        ways = [] if self.granularity is None else [self.granularity]
        return list(dict.fromkeys([*ways, *shown_ways(self.systems)]))

    @property
    def needs_search_model(self) -> bool:
        return any(name in STRATEGIES for name in self.searches)

    @property
    def needs_vsm(self) -> bool:
        return self.needs_search_model and "seal" in self.guide.names

    def build_task(self) -> Task:
        return task_named(self.task).task(self.benchmark, limit=self.limit)


def run_benchmark(run: BenchmarkRun) -> dict[str, Any] | None:
    """Predict, judge and write; the metrics, on the first process only."""
    from seal.inference.model_kinds import answer_model_identity, model_kind
    from seal.inference.named_guides import check_read
    from seal.inference.named_models import check_shown
    from seal.inference.vicrop.readable import check_readable

    check_shown(run.vqa, run.shown)
    if any(name in VICROP for name in run.searches):
        check_readable(run.vqa)
    if run.needs_search_model:
        check_read(run.guide, run.vqa)
    assert run.scoring is not None
    if scoring_named(run.scoring).reads == "losses" and model_kind(run.vqa) == "endpoint":
        raise ValueError(
            f"scoring={run.scoring}, but {run.vqa} is a server, which does not tell how likely "
            "given words are: set scoring=letter"
        )
    task = run.build_task()
    questions = task.questions()  # what is wrong with them is told before a model is read
    lacking = _without_targets(run, questions)
    if run.share_search and len(units(questions, True)) == len(questions):
        raise ValueError(
            f"share_search=true, but no two rows in a row of {run.benchmark} put one question in "
            'several ways (the same meta["group"], image and text): leave it out'
        )
    folder = Path(run.out)
    with shard_of_run() as shard, shard.writes(folder):
        judge = _judge(run) if shard.rank == 0 else None  # who is not there is told now
        if shard.rank == 0:
            require_own_folder(folder, FAILURES, RESULTS)
            if lacking:
                print(
                    f"note: {lacking} of {len(questions)} questions have no annotated targets; who "
                    "is told what to search for answers them from the whole image",
                    file=sys.stderr,
                )
            models = {"vqa": answer_model_identity(run.vqa, run.chat.revision)}
            if run.vsm is not None:
                models["vsm"] = fingerprint(model_folder(run.vsm))
            guide = guide_settings(run.guide, used=run.needs_search_model)
            guide["weights"] = models | guide["weights"]
            settings = asdict(run) | guide | {"task_version": task.version}
            settings["search"] = run.search.settings()
            settings["questions"] = len(questions)  # what the numbers are of; others may lie there
            if not run.share_search:  # as in folders of before there was a choice
                del settings["share_search"]
            if run.granularity is None:
                del settings["granularity"]
            settings |= ProtocolConfig.named(run.protocol).settings()
            # A run without a search model knows nothing of the one that another run used.
            settle(folder, settings, FREE, partial=["weights", "guide"])
        shard.wait()
        systems = load_systems(run, shard)
        if shard.rank == 0:
            made_with = environment(shard.device(run.device)) | {"seed": run.seed}
            made_with |= {"answer_model": systems.settings} | systems.guide_settings
            made_with |= _locate_answer(run, task, systems)
            write_json(folder / ENVIRONMENT, made_with)
        benchmark = Benchmark(
            task,
            folder,
            protocol=run.protocol,
            scoring=run.scoring,
            targets=run.targets,
            seed=run.seed,
            share_search=run.share_search,
        )
        lines = benchmark.predict(systems, batch=run.batch, shard=shard)
        if shard.rank > 0:
            return None
        if judge is not None:
            lines = grade_folder(folder, lines, judge)
            made_with |= {"judge": judge.settings() | judge.report()}
        write_json(folder / ENVIRONMENT, made_with | systems.guide_cost)
    metrics = benchmark_metrics(task, lines, baseline=run.baseline, seed=run.seed)
    write_metrics(folder, metrics)
    write_failures(folder, task, lines)
    return metrics


def _without_targets(run: BenchmarkRun, questions: Sequence[TaskQuestion]) -> int:
    """How many questions have no annotated targets, where a system is told them.

    Raises:
        ValueError: none has: a perfect search of nothing is no search.
    """
    told = [
        name
        for name, search in zip(run.systems, run.searches, strict=True)
        if search == "oracle" or (run.targets == "annotated" and search in STRATEGIES)
    ]
    lacking = sum(not question.targets for question in questions) if told else 0
    if lacking and lacking == len(questions):
        raise ValueError(
            f"{', '.join(told)} would be told what to search for, but no question of "
            f"{run.benchmark} has annotated targets: leave it out, or give a copy that has them"
        )
    return lacking


def _judge(run: BenchmarkRun) -> Judge | None:
    """The judge that is named; without one, answers wait for their grades."""
    if run.judge is None:
        if run.task in RUBRICS:
            print(
                f"{run.task}: answers are graded by a judge, and none is named: they are written "
                f"without grades; judge= grades them here, `seal eval/judge` later",
                file=sys.stderr,
            )
        return None
    rubric = rubric_of(run.task)
    return Judge.at(run.judge, rubric, run.judging, key_name=run.judge_api_key_env)


def load_systems(run: BenchmarkRun, shard: Shard) -> Systems:
    """Both models, each once."""
    from seal.inference.named_guides import load_guide
    from seal.inference.named_models import load_named

    protocol = ProtocolConfig.named(run.protocol)
    answer_model, own = load_named(
        run.vqa,
        run.vsm if run.needs_vsm else None,
        no_search_image=protocol.no_search_image,
        token_policy=protocol.token_policy,
        granularity=run.granularity,
        cue_prefix=protocol.cue_prefix,
        chat=run.chat,
        **run.options(shard),
    )
    assert answer_model is not None
    search_model = config = None
    if run.needs_search_model:
        search_model = load_guide(
            run.guide,
            answer_model=answer_model,
            vsm=own,
            **run.guide_options(shard),
        )
        config = run.search.applied_to(search_model.search_config(), seed=run.seed)
    return Systems(
        run.systems,
        answer_model,
        search_model,
        protocol=protocol,
        search_config=config,
        planner=run.planner,
        vicrop=run.vicrop.applied_to(ViCropConfig.named(run.protocol)),
        control_of=run.control_of,
        seed=run.seed,
        speed=run.speed,
    )


def _locate_answer(run: BenchmarkRun, task: Task, systems: Systems) -> dict[str, Any]:
    """The search model's answer to the first question that names something in an image."""
    if systems.search_model is None:
        return {}
    for question in task.questions():
        if question.image is not None and question.targets:
            said = check_constant_answer(
                systems.search_model, task.images, question.image, question.targets[0].name,
                vsm=run.vsm, quantization=run.quantization,
            )  # fmt: skip
            return {"locate_answer": said}
    return {}
