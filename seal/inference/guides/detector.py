"""An open-vocabulary detector behind the search's protocol: boxes and heat of any phrase."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from seal.inference.guides.config import KINDS
from seal.inference.guides.detector_pixels import Fit
from seal.inference.guides.features import FeatureCache, Features
from seal.inference.guides.guide import GuideCost
from seal.search.config import SearchConfig
from seal.search.heatmap import GridHeat
from seal.search.protocol import Detections, Heat, Patch, Query, QueryKind
from seal.text.prompts import without_article


class DetectorNetwork(Protocol):
    """A family of detectors; `Detector` does what they have in common."""

    name: str  # of the guide
    fit: Fit

    def prompt(self, phrase: str) -> str:
        """A phrase in the words that the family was trained with."""
        ...

    def cut(self, prompt: str) -> str | None:
        """What is read of a prompt that is too long for the text tower; None: all of it."""
        ...

    def encode(self, pixels: Tensor) -> list[Features]:
        """(M, 3, H, W) -> what can be known of each crop before any text."""
        ...

    def look(
        self, features: Sequence[Features], prompts: Sequence[str], size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """Each prompt on the features beside it, of crops shown in one size (width, height).

        Returns (E, Q, 4) cxcywh in [0, 1] and (E, Q) scores in [0, 1].
        """
        ...

    def heat(
        self, scores: np.ndarray, boxes_cxcywh: np.ndarray, width: int, height: int
    ) -> GridHeat:
        """The heat of one query over its patch of width x height pixels, before anything is cut."""
        ...

    def search_config(self) -> SearchConfig: ...

    def settings(self) -> dict[str, Any]: ...


class Detector:
    """A `SearchModel` without a contextual cue; its detections come with heat."""

    def __init__(
        self,
        network: DetectorNetwork,
        *,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        max_batch: int = 16,
        cache_mb: int = 4096,
        threads: int | None = None,
    ) -> None:
        """`max_batch`: queries in one pass; `cache_mb`: what is kept of crops, on the device."""
        self.network = network
        self.name = network.name
        self.kinds: frozenset[QueryKind] = KINDS[network.name]
        self.device, self.dtype = device, dtype
        self.max_batch = max_batch
        self.cost = GuideCost()
        self._crops = FeatureCache(self._encode, max_bytes=cache_mb << 20)
        self._threads = ThreadPoolExecutor(threads or min(8, os.cpu_count() or 1))
        self._cut = lru_cache(maxsize=4096)(network.cut)

    def detect(self, queries: Sequence[Query]) -> list[Detections]:
        return self._answer("detect", queries)

    def cue_heatmap(self, queries: Sequence[Query]) -> list[Heat]:
        return [_heat(found) for found in self._answer("cue_heatmap", queries)]

    def target_heat(self, queries: Sequence[Query]) -> list[Heat]:
        return [_heat(found) for found in self._answer("target_heat", queries)]

    def search_config(self) -> SearchConfig:
        """Thresholds in the family's own scores.

        They follow what demos of the family use, and were never set on data here.
        """
        return self.network.search_config()

    def settings(self) -> dict[str, Any]:
        dtype = str(self.dtype).removeprefix("torch.")
        return {**self.network.settings(), "dtype": dtype, "prompt": self.network.prompt("{}")}

    def forget(self, image: Image) -> None:
        """Drop what is known about an image."""
        self._crops.forget(image)

    @torch.inference_mode()
    def _answer(self, kind: QueryKind, queries: Sequence[Query]) -> list[Detections]:
        """Queries whose crops are shown in one size go through the network together: alone, none
        would be padded, and a padded crop does not give the same numbers.
        """
        self.cost.count(kind, len(queries))
        by_size: dict[tuple[int, int], list[int]] = defaultdict(list)
        for i, query in enumerate(queries):
            by_size[self.network.fit.size(*query.patch.size)].append(i)
        found: dict[int, Detections] = {}
        for size, places in by_size.items():
            for start in range(0, len(places), self.max_batch):
                part = places[start : start + self.max_batch]
                found |= zip(part, self._look([queries[i] for i in part], size), strict=True)
        self.cost.crops_encoded = self._crops.num_encoded
        return [found[i] for i in range(len(queries))]

    def _look(self, queries: Sequence[Query], size: tuple[int, int]) -> list[Detections]:
        features = self._crops.get([query.patch for query in queries])
        prompts = [self.network.prompt(without_article(query.text)) for query in queries]
        boxes, scores = self.network.look(features, prompts, size)
        self.cost.calls += 1
        both = torch.cat([boxes.float(), scores.float()[..., None]], -1).cpu().numpy()
        if not np.isfinite(both).all():
            raise FloatingPointError(
                f"{self.name} gives numbers that are not finite in {self.dtype}; load it with "
                "dtype=bfloat16 or float32"
            )
        return [
            self._detections(each, query, self._cut(prompt))
            for each, query, prompt in zip(both, queries, prompts, strict=True)
        ]

    def _detections(self, found: np.ndarray, query: Query, cut: str | None) -> Detections:
        """found: (Q, 5) of one query, relative boxes and scores; cut: what was read of its text,
        where that was not all of it.
        """
        width, height = query.patch.size
        boxes, scores = found[:, :4], found[:, 4]
        heat = self.network.heat(scores, boxes, width, height)
        boxes_xyxy, inside = self.network.fit.to_patch(boxes, width, height)
        said = None if cut is None else f"too long for {self.name}, which read: {cut}"
        return Detections(boxes_xyxy, scores[inside], heat, said)

    def _encode(self, patches: list[Patch]) -> list[Features]:
        prepare = self.network.fit.pixels
        made = self._threads.map(lambda patch: prepare(patch.image, patch.box.as_ints()), patches)
        pixels = torch.from_numpy(np.stack(list(made))).to(self.device, self.dtype)
        self.cost.calls += 1
        return self.network.encode(pixels)


def _heat(found: Detections) -> Heat:
    assert found.heat is not None  # of every family
    return found.heat
