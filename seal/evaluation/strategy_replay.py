"""Search every target by every strategy from one set of model answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from PIL.Image import Image

from seal.evaluation.faults import Faults
from seal.evaluation.human_prior import (
    Scanpaths,
    gamma_of,
    human_prior_locator,
    without_scanpath,
)
from seal.evaluation.shards import Shard
from seal.evaluation.shared_out import in_batches, share_out
from seal.evaluation.store import Key, PredictionStore, content_digest
from seal.evaluation.systems import Known
from seal.evaluation.task import Prediction
from seal.evaluation.tasks.visual_search import SearchTarget, SearchTask
from seal.inference.build_locator import build_locator
from seal.pipeline import ProtocolConfig
from seal.search.cache import CachedModel
from seal.search.config import SearchConfig
from seal.search.locator import LocateRequest, Locator
from seal.search.protocol import SearchModel
from seal.search.speed import SpeedConfig
from seal.search.trace import to_dict

HEAT_CELLS = 24  # of the maps kept for pictures


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
        speed: SpeedConfig | None = None,
    ) -> None:
        """`known`: what a guide that is `annotated` sees; it is told of each image in its turn."""
        self.task, self.folder, self.protocol = task, folder, protocol
        self.model, self.cached = model, CachedModel(model)
        self.known, self.scanpaths = known or Known(), scanpaths or Scanpaths()
        self._faults = Faults()
        nms_iou = ProtocolConfig.named(protocol).nms_iou
        self.locators: dict[str, Locator] = {}
        for name in strategies:
            if gamma_of(name) is not None:
                seen = config if nms_iou is None else replace(config, nms_iou=nms_iou)
                self.locators[name] = human_prior_locator(
                    name, self.cached, self.scanpaths, seen, speed
                )
                continue
            locator = build_locator(name, self.cached, config, nms_iou=nms_iou, speed=speed)
            assert locator is not None
            self.locators[name] = locator

    def predict(
        self, *, batch: int = 8, shard: Shard | None = None, traced: Sequence[str] = ()
    ) -> list[Prediction]:
        """Search what has not been searched yet, `batch` images at a time; returns all lines.

        traced: ids whose lines keep the maps.
        """
        targets = self.task.targets()
        by_image: dict[str, list[SearchTarget]] = {}
        for target in targets:
            by_image.setdefault(target.image, []).append(target)

        def work(part: Sequence[str], store: PredictionStore) -> None:
            self._search_part([t for path in part for t in by_image[path]], store, set(traced))

        order: dict[Key, int] = {
            (target.id, name): number
            for number, (target, name) in enumerate(product(targets, self.locators))
        }
        return share_out(
            self.folder,
            search_key,
            in_batches(list(by_image), batch),
            work,
            order,
            shard=shard or Shard(),
            title=self.task.name,
            unit="image",
        )

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
        lines: list[Prediction] = []
        for name, wanted in new.items():
            failed = self._failures(name, wanted, errors)
            sought = [target for target in wanted if target.id not in failed]
            results = self.locators[name].locate(
                [LocateRequest(images[t.image], t.target.name) for t in sought]
            )
            self._faults.check(results, len({target.image for target in sought}))
            for target, result in zip(sought, results, strict=True):
                if result.error is not None:
                    failed[target.id] = result.error
                    continue
                trace = to_dict(result, heat_cells=HEAT_CELLS if target.id in traced else 0)
                lines.append(self._line(target, name, trace) | {"asked": asked[target.id]})
            lines += [
                self._line(target, name, None, failed[target.id]) | {"asked": asked[target.id]}
                for target in wanted
                if target.id in failed
            ]
        # Of all strategies at once: one finds answered what those before it asked, so that a run
        # killed between two of them must begin with the first again.
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
