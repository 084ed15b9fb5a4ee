"""What eval/search is told, and what it does: every strategy over one set of model answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from seal.evaluation.benchmark import FREE
from seal.evaluation.choices import (
    ModelChoice,
    SearchNumbers,
    check_constant_answer,
    guide_settings,
)
from seal.evaluation.environment import environment
from seal.evaluation.human_prior import (
    PriorNumbers,
    Scanpaths,
    gamma_of,
)
from seal.evaluation.named_tasks import task_named
from seal.evaluation.results.results_page import RESULTS, write_results
from seal.evaluation.results.shown_searches import search_words, spread
from seal.evaluation.shards import Shard, shard_of_run
from seal.evaluation.store import (
    ENVIRONMENT,
    METRICS,
    require_own_folder,
    settle,
    write_json,
)
from seal.evaluation.strategy_metrics import strategy_metrics
from seal.evaluation.strategy_replay import StrategyReplay
from seal.evaluation.systems import Known
from seal.evaluation.task import Prediction
from seal.evaluation.tasks.coco_search18 import CocoSearch18, CocoSearch18Config
from seal.evaluation.tasks.visual_search import SearchTask, VisualSearch
from seal.files.fingerprint import fingerprint
from seal.inference.build_locator import check_guide
from seal.inference.guides.composed import ComposedGuide
from seal.inference.guides.config import ANNOTATED, GuideConfig
from seal.inference.hub import model_folder
from seal.pipeline import ProtocolConfig
from seal.search.draw import draw_path
from seal.search.strategies import BY_TARGET, build_strategy
from seal.search.trace import from_dict
from seal.text.quote import quoted

COCO_SEARCH18 = CocoSearch18.name
TASKS = ("vstar_bench", COCO_SEARCH18)
PUBLISHED_PRIORS = ("human_prior_0.9", "human_prior_0.8")
TRACES = "traces"


@dataclass(kw_only=True, slots=True)
class SearchRun(ModelChoice):
    """conf/eval_search.yaml"""

    task: str = "vstar_bench"  # or coco_search18: whose targets are sought
    benchmark: str  # folder in V*Bench's form; of COCO-Search18 the fixations, a file or its folder
    images: str | None = None  # photographs of COCO-Search18; null: guide=annotated needs none
    vsm: str | None = None  # folder or hub id of SEAL's search model, where the guide has it
    out: str  # where everything goes; the same command continues what is there
    strategies: list[str] | None = None  # null: all, of coco_search18 human_prior_GAMMA too
    reference: str = "guided"  # whose search length the others are compared with
    protocol: str = "default"  # default | as_released: the original's quirks
    guide: GuideConfig = field(default_factory=GuideConfig)  # what the strategies ask
    search: SearchNumbers = field(default_factory=SearchNumbers)
    prior: PriorNumbers = field(default_factory=PriorNumbers)  # of human_prior_GAMMA
    limit: int | None = None  # questions of each split, targets of COCO-Search18; None: all
    batch: int = 8  # images at a time
    traces: int = 12  # searches of `reference`, the first of each group: kept with maps, drawn
    seed: int = 0  # of intervals and random strategies
    dry_run: bool = False  # say what would be run, then stop

    def __post_init__(self) -> None:
        ModelChoice.__post_init__(self)  # `super()` does not work in a class with slots
        if self.task not in TASKS:
            raise ValueError(f"task={quoted(self.task)} is none of {', '.join(TASKS)}")
        if self.task != COCO_SEARCH18 and self.images is not None:
            raise ValueError(f"images={self.images} is of task={COCO_SEARCH18}; leave it out")
        if self.strategies is not None and (
            not self.strategies or len(set(self.strategies)) != len(self.strategies)
        ):
            raise ValueError(f"strategies={self.strategies} must name some, each once")
        for name in self.chosen:
            if gamma_of(name) is None:
                build_strategy(name)
                check_guide(name, self.guide, answers=False)
            elif self.task != COCO_SEARCH18:
                raise ValueError(
                    f"strategies: {name} needs the fixations of people: task={COCO_SEARCH18}"
                )
        self.guide.require_models(answers=False, vsm=self.vsm is not None, known=True)
        if self.task == COCO_SEARCH18 and self.images is None and self.guide.names != [ANNOTATED]:
            raise ValueError(
                f"task={COCO_SEARCH18} without images= has nothing to see: give the folder of its "
                f"photographs, or guide={ANNOTATED}, which knows the boxes"
            )
        ProtocolConfig.named(self.protocol)
        if self.batch < 1 or self.traces < 0 or self.seed < 0:
            raise ValueError(
                f"batch={self.batch} must be at least 1, traces={self.traces} and "
                f"seed={self.seed} not negative"
            )

    @property
    def chosen(self) -> list[str]:
        """The strategies that are compared."""
        if self.strategies is not None:
            return list(self.strategies)
        return [*BY_TARGET, *(PUBLISHED_PRIORS if self.task == COCO_SEARCH18 else ())]

    def build_task(self) -> SearchTask:
        if self.task == COCO_SEARCH18:
            return CocoSearch18Config(
                fixations=self.benchmark, images=self.images, limit=self.limit
            ).build()
        task = task_named(self.task).task(self.benchmark, limit=self.limit)
        return VisualSearch(task.images, task.questions())


def run_search(run: SearchRun) -> dict[str, Any] | None:
    """Search, judge and write; the metrics, on the first process only."""
    task, folder = run.build_task(), Path(run.out)
    targets = task.targets()
    if not targets:
        raise ValueError(
            f"{run.benchmark} has no annotated targets to search for: V*Bench has them in its "
            "folders, not in the JSONL form"
        )
    with shard_of_run() as shard, shard.writes(folder):
        device = shard.device(run.device)
        if shard.rank == 0:
            require_own_folder(folder, RESULTS)
            guide = guide_settings(run.guide)
            if run.vsm is not None and "seal" in run.guide.names:
                guide["weights"]["vsm"] = fingerprint(model_folder(run.vsm))
            settings = asdict(run) | guide | {"task_version": task.version}
            settings |= ProtocolConfig.named(run.protocol).settings()
            settings["search"] = run.search.settings()
            settle(folder, settings, (*FREE, "images", "strategies", "reference", "traces"))
        shard.wait()
        known = Known()
        model = load_run_guide(run, shard, known)
        made_with = environment(device) | {"seed": run.seed, "guide": model.settings()}
        if shard.rank == 0:
            first = targets[0]
            made_with["locate_answer"] = check_constant_answer(
                model, task.images, first.image, first.target.name,
                vsm=run.vsm, quantization=run.quantization,
            )  # fmt: skip
            write_json(folder / ENVIRONMENT, made_with)
        config = run.search.applied_to(model.search_config(), seed=run.seed)
        replay = StrategyReplay(
            task, folder, model, config, run.chosen,
            protocol=run.protocol, known=known, scanpaths=Scanpaths(run.prior), speed=run.speed,
        )  # fmt: skip
        kept = spread([target.target.group for target in targets], run.traces)
        traced = [targets[place].id for place in kept]
        lines = replay.predict(batch=run.batch, shard=shard, traced=traced)
        if shard.rank > 0:
            return None
        write_json(folder / ENVIRONMENT, made_with | {"guide_cost": model.cost})
    metrics = strategy_metrics(lines, reference=run.reference, seed=run.seed)
    write_json(folder / METRICS, metrics)
    pictures = write_traces(folder, task, lines, metrics["reference"], traced)
    write_results(folder, metrics, pictures=pictures)
    return metrics


def load_run_guide(run: SearchRun, shard: Shard, known: Known) -> ComposedGuide:
    """The guide of a run; SEAL's search model is read where a part is `seal`. `known`: what one
    that is `annotated` sees.
    """
    from seal.inference.load import load_search_model
    from seal.inference.named_guides import load_guide

    own = None
    if run.vsm is not None and "seal" in run.guide.names:
        options = run.options(shard)
        cue_prefix = ProtocolConfig.named(run.protocol).cue_prefix
        own = load_search_model(model_folder(run.vsm), cue_prefix=cue_prefix, **options)
    options = run.guide_options(shard)
    return load_guide(run.guide, vsm=own, known=known, **options)


def write_traces(
    folder: Path,
    task: SearchTask,
    lines: Sequence[Prediction],
    strategy: str,
    traced: Sequence[str],
) -> list[tuple[Path, str]]:
    """traces/NUMBER.json and .png: some searches of one strategy, with what they looked at.

    Returns the pictures, and what each search did.
    """
    chosen = {line["id"]: line for line in lines if line["strategy"] == strategy}
    pictures = []
    for number, name in enumerate(traced):
        line = chosen.get(name)
        if line is None or line["result"] is None:
            continue
        stem = folder / TRACES / f"{number:03d}"
        write_json(stem.with_suffix(".json"), line)
        image = task.images.open(line["target"]["image"])
        picture = draw_path(image, from_dict(line["result"]))
        picture.save(stem.with_suffix(".png"))
        pictures.append((stem.with_suffix(".png"), search_words(line)))
    return pictures
