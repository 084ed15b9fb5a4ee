"""What eval/grounding is told, and what it does: box accuracy, cIoU and gIoU of expressions."""

from __future__ import annotations

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
from seal.evaluation.grounding.answers import TASK, VERSION, GroundedExpressions
from seal.evaluation.grounding.metrics import grounding_metrics
from seal.evaluation.grounding.referred import GroundingSet, open_grounding
from seal.evaluation.shards import shard_of_run
from seal.evaluation.store import ENVIRONMENT, METRICS, require_own_folder, settle, write_json
from seal.evaluation.task import Prediction, errors_of
from seal.files.fingerprint import fingerprint
from seal.inference.build_locator import build_locator, check_guide
from seal.inference.guides.config import GuideConfig
from seal.inference.hub import model_folder
from seal.search.strategies import BY_TARGET, EVERY, build_strategy

WHOLE_IMAGE = "none"
MASKS_BY = "seal"  # whose heat is mask logits


@dataclass(kw_only=True, slots=True)
class GroundingRun(ModelChoice):
    """conf/eval_grounding.yaml"""

    # A record set (data_builders/refcoco), hub:lmms-lab/RefCOCO::val, or a copy of its files.
    benchmark: str
    images: str | None = None  # where a record set's images lie, if not where it says
    vsm: str | None = None  # folder or hub id of SEAL's search model, where the guide has it
    out: str  # where everything goes; the same command continues what is there
    guide: GuideConfig = field(default_factory=GuideConfig)  # what is asked
    strategy: str = WHOLE_IMAGE  # none: one look at the whole image; or guided, ...: boxes only
    search: SearchNumbers = field(default_factory=SearchNumbers)  # of a strategy
    limit: int | None = None  # images; None: all
    batch: int = 8  # images at a time
    seed: int = 0  # of intervals and random searches
    dry_run: bool = False  # say what would be run, then stop

    def __post_init__(self) -> None:
        ModelChoice.__post_init__(self)  # `super()` does not work in a class with slots
        if self.strategy != WHOLE_IMAGE:
            if self.strategy not in (*BY_TARGET, EVERY):
                build_strategy(self.strategy)  # says what is wrong with it
                raise ValueError(
                    f"strategy={self.strategy} asks a question, and an expression is none: choose "
                    f"{WHOLE_IMAGE} or one of {', '.join((*BY_TARGET, EVERY))}"
                )
            check_guide(self.strategy, self.guide, answers=False)
        elif self.guide.part("detect") is None:
            raise ValueError("guide.detect= must name what finds boxes")
        self.guide.require_models(answers=False, vsm=self.vsm is not None)
        if self.batch < 1 or (self.limit is not None and self.limit < 1):
            raise ValueError(f"batch={self.batch} and limit={self.limit} must be at least 1")
        if self.seed < 0:
            raise ValueError(f"seed={self.seed} must not be negative")

    @property
    def masks(self) -> bool:
        """Whether what is asked draws masks of the whole image."""
        parts = self.guide.parts
        own = parts.get("detect") == parts.get("heat") == MASKS_BY
        return own and self.strategy == WHOLE_IMAGE

    def open(self) -> GroundingSet:
        return open_grounding(self.benchmark, self.images, self.limit)


def run_grounding(run: GroundingRun) -> dict[str, Any] | None:
    """Ask, judge and write; the metrics, on the first process only."""
    from seal.inference.load import load_search_model
    from seal.inference.named_guides import load_guide

    found, folder = run.open(), Path(run.out)
    with shard_of_run() as shard, shard.writes(folder):
        device = shard.device(run.device)
        if shard.rank == 0:
            require_own_folder(folder)
            guide = guide_settings(run.guide)
            if run.vsm is not None and "seal" in run.guide.names:
                guide["weights"]["vsm"] = fingerprint(model_folder(run.vsm))
            settings = asdict(run) | guide | {"task_version": VERSION}
            settle(folder, settings | {"search": run.search.settings()}, (*FREE, "images"))
        shard.wait()
        own = None
        if run.vsm is not None and "seal" in run.guide.names:
            options = run.options(shard)
            own = load_search_model(model_folder(run.vsm), **options)
        options = run.guide_options(shard)
        model = load_guide(run.guide, vsm=own, **options)
        locator = None
        if run.strategy != WHOLE_IMAGE:
            config = run.search.applied_to(model.search_config(), seed=run.seed)
            locator = build_locator(run.strategy, model, config, speed=run.speed)
        made_with = environment(device) | {"seed": run.seed, "guide": model.settings()}
        if shard.rank == 0:
            first = found.items[0]
            made_with["locate_answer"] = check_constant_answer(
                model, found.images, first.image, first.text,
                vsm=run.vsm, quantization=run.quantization,
            )  # fmt: skip
            write_json(folder / ENVIRONMENT, made_with)
        asked = GroundedExpressions(found, folder, model, locator=locator, masks=run.masks)
        lines = asked.predict(batch=run.batch, shard=shard)
        if shard.rank > 0:
            return None
        write_json(folder / ENVIRONMENT, made_with | {"guide_cost": model.cost})
    metrics = run_metrics(run, found, lines)
    write_json(folder / METRICS, metrics)
    return metrics


def run_metrics(run: GroundingRun, found: GroundingSet, lines: list[Prediction]) -> dict[str, Any]:
    """Everything in metrics.json."""
    return {
        "task": TASK,
        "task_version": VERSION,
        "strategy": run.strategy,
        "seed": run.seed,
        "num_expressions": len(lines),
        "num_images": len({line["referred"]["image"] for line in lines}),
        "left_out": dict(found.left_out),
        "errors": errors_of(lines),
        "sources": grounding_metrics(lines, seed=run.seed),
    }
