"""What eval/search is told, and what it does: every strategy over one set of model answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

from PIL.Image import Image
from tqdm import tqdm

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
    human_prior_locator,
    without_scanpath,
)
from seal.evaluation.named_tasks import task_named
from seal.evaluation.shards import Shard, shard_of_run
from seal.evaluation.store import (
    ENVIRONMENT,
    METRICS,
    PredictionStore,
    content_digest,
    require_own_folder,
    settle,
    write_json,
)
from seal.evaluation.systems import Known
from seal.evaluation.task import Prediction
from seal.evaluation.tasks.coco_search18 import CocoSearch18, CocoSearch18Config
from seal.evaluation.tasks.visual_search import (
    SearchTarget,
    SearchTask,
    VisualSearch,
    search_metrics,
)
from seal.files.fingerprint import fingerprint
from seal.inference.build_locator import build_locator, check_guide
from seal.inference.guides.composed import ComposedGuide
from seal.inference.guides.config import ANNOTATED, GuideConfig
from seal.inference.hub import model_folder
from seal.pipeline import ProtocolConfig
from seal.search.cache import CachedModel
from seal.search.config import SearchConfig
from seal.search.draw import draw_path
from seal.search.locator import LocateRequest, Locator
from seal.search.protocol import SearchModel
from seal.search.strategies import BY_TARGET, build_strategy
from seal.search.trace import from_dict, to_dict
from seal.text.quote import quoted

COCO_SEARCH18 = CocoSearch18.name
TASKS = ("vstar_bench", COCO_SEARCH18)
PUBLISHED_PRIORS = ("human_prior_0.9", "human_prior_0.8")
TRACES = "traces"
HEAT_CELLS = 24  # of the maps kept for pictures


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
    traces: int = 12  # searches of `reference` that are kept with their maps, and drawn
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
        if self.batch < 1 or self.traces < 0:
            raise ValueError(
                f"batch={self.batch} must be at least 1 and traces={self.traces} not negative"
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


class StrategyReplay:
    """Searches every target by every strategy; a question to the model is asked once."""

    def __init__(
        self,
        task: SearchTask,
        folder: Path,
        model: SearchModel,
        config: SearchConfig,
        strategies: Sequence[str],
        *,
        protocol: str = "default",
        known: Known | None = None,
        scanpaths: Scanpaths | None = None,
    ) -> None:
        """`known`: what a guide that is `annotated` sees; it is told of each image in its turn."""
        self.task, self.folder, self.protocol = task, folder, protocol
        self.model, self.cached = model, CachedModel(model)
        self.known, self.scanpaths = known or Known(), scanpaths or Scanpaths()
        nms_iou = ProtocolConfig.named(protocol).nms_iou
        self.locators: dict[str, Locator] = {}
        for name in strategies:
            if gamma_of(name) is not None:
                seen = config if nms_iou is None else replace(config, nms_iou=nms_iou)
                self.locators[name] = human_prior_locator(name, self.cached, self.scanpaths, seen)
                continue
            locator = build_locator(name, self.cached, config, nms_iou=nms_iou)
            assert locator is not None
            self.locators[name] = locator

    def predict(
        self, *, batch: int = 8, shard: Shard | None = None, traced: Sequence[str] = ()
    ) -> list[Prediction]:
        """Search what has not been searched yet, `batch` images at a time; returns all lines.

        traced: ids whose lines keep the maps.
        """
        shard = shard or Shard()
        targets = self.task.targets()
        store = PredictionStore(
            self.folder, search_key, rank=shard.rank, world_size=shard.world_size
        )
        shard.wait()  # nobody writes before everybody has read what was there
        by_image: dict[str, list[SearchTarget]] = {}
        for target in targets:
            by_image.setdefault(target.image, []).append(target)
        mine = shard.take(list(by_image))
        bar = tqdm(total=len(mine), desc=self.task.name, unit="image", disable=shard.rank > 0)
        for start in range(0, len(mine), batch):
            part = mine[start : start + batch]
            self._search_part([t for path in part for t in by_image[path]], store, set(traced))
            bar.update(len(part))
        bar.close()
        shard.wait()
        order: dict[tuple[str, ...], int] = {
            (target.id, name): number
            for number, (target, name) in enumerate(product(targets, self.locators))
        }
        lines = store.merge(order) if shard.rank == 0 else []
        shard.wait()
        return lines

    def _search_part(
        self, targets: Sequence[SearchTarget], store: PredictionStore, traced: set[str]
    ) -> None:
        digest = self.task.images.digest
        asked = {t.id: content_digest(t.to_dict(), digest(t.image)) for t in targets}
        new = {
            name: [
                target for target in targets if not store.has((target.id, name), asked[target.id])
            ]
            for name in self.locators
        }
        images, errors = self._open(sorted({t.image for ts in new.values() for t in ts}))
        for target in targets:
            if target.image in images:
                self.known.tell(images[target.image], [target.target])
                self.scanpaths.tell(images[target.image], target.target.name, target.meta)
        for name, wanted in new.items():
            failed = self._failures(name, wanted, errors)
            sought = [target for target in wanted if target.id not in failed]
            results = self.locators[name].locate(
                [LocateRequest(images[t.image], t.target.name) for t in sought]
            )
            lines = []
            for target, result in zip(sought, results, strict=True):
                trace = to_dict(result, heat_cells=HEAT_CELLS if target.id in traced else 0)
                lines.append(self._line(target, name, trace) | {"asked": asked[target.id]})
            lines += [
                self._line(target, name, None, failed[target.id]) | {"asked": asked[target.id]}
                for target in wanted
                if target.id in failed
            ]
            store.add(lines)
        self.known.forget()
        self.scanpaths.forget(images.values())
        for image in images.values():
            self.cached.forget(image)
            # Only a network keeps crops; other search models have nothing to forget.
            forget = getattr(self.model, "forget", None)
            if forget is not None:
                forget(image)

    def _failures(
        self, strategy: str, targets: Sequence[SearchTarget], errors: Mapping[str, str]
    ) -> dict[str, str]:
        """Target -> why it cannot be sought this way."""
        failed = {t.id: errors[t.image] for t in targets if t.image in errors}
        if gamma_of(strategy) is not None:
            for target in targets:
                lacks = without_scanpath(target.to_dict())
                if lacks is not None:
                    failed.setdefault(target.id, lacks)
        return failed

    def _open(self, names: Sequence[str]) -> tuple[dict[str, Image], dict[str, str]]:
        images: dict[str, Image] = {}
        errors: dict[str, str] = {}
        for name in names:
            try:
                images[name] = self.task.images.open(name)
            except ValueError as error:
                errors[name] = str(error)
        return images, errors

    def _line(
        self,
        target: SearchTarget,
        strategy: str,
        result: dict[str, Any] | None,
        error: str | None = None,
    ) -> Prediction:
        return {
            "id": target.id,
            "strategy": strategy,
            "task": self.task.name,
            "task_version": self.task.version,
            "protocol": self.protocol,
            "target": target.to_dict(),
            "result": result,
            "error": error,
        }


def search_key(line: Prediction) -> tuple[str, ...]:
    """Which target was sought how."""
    return line["id"], line["strategy"]


def run_search(run: SearchRun) -> dict[str, Any] | None:
    """Search, judge and write; the metrics, on the first process only."""
    task, folder = run.build_task(), Path(run.out)
    with shard_of_run() as shard, shard.writes(folder):
        device = shard.device(run.device)
        if shard.rank == 0:
            require_own_folder(folder)
            guide = guide_settings(run.guide)
            if run.vsm is not None and "seal" in run.guide.names:
                guide["weights"]["vsm"] = fingerprint(model_folder(run.vsm))
            settings = asdict(run) | guide | {"task_version": task.version}
            settle(folder, settings, (*FREE, "strategies", "reference", "traces"))
        shard.wait()
        known = Known()
        model = load_run_guide(run, shard, known)
        made_with = environment(device) | {"seed": run.seed, "guide": model.settings()}
        targets = task.targets()
        if shard.rank == 0:
            if targets:
                first = targets[0]
                made_with["locate_answer"] = check_constant_answer(
                    model, task.images, first.image, first.target.name
                )
            write_json(folder / ENVIRONMENT, made_with)
        config = run.search.applied_to(model.search_config(), seed=run.seed)
        replay = StrategyReplay(
            task, folder, model, config, run.chosen,
            protocol=run.protocol, known=known, scanpaths=Scanpaths(run.prior),
        )  # fmt: skip
        traced = [target.id for target in targets[: run.traces]]
        lines = replay.predict(batch=run.batch, shard=shard, traced=traced)
        if shard.rank > 0:
            return None
        write_json(folder / ENVIRONMENT, made_with | {"guide_cost": model.cost})
    metrics = search_metrics(lines, reference=run.reference, seed=run.seed)
    write_json(folder / METRICS, metrics)
    write_traces(folder, task, lines, metrics["reference"], traced)
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
        own = load_search_model(model_folder(run.vsm), cache_mb=run.cache_mb, **options)
    options = run.guide_options(shard)
    return load_guide(run.guide, vsm=own, known=known, cache_mb=run.cache_mb, **options)


def write_traces(
    folder: Path,
    task: SearchTask,
    lines: Sequence[Prediction],
    strategy: str,
    traced: Sequence[str],
) -> list[Path]:
    """traces/NUMBER.json and .png: some searches of one strategy, with what they looked at."""
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
        pictures.append(stem.with_suffix(".png"))
    return pictures
