"""ViCrop as a locator: the crop that an answer model's own attention asks for."""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from PIL.Image import Image

from seal.geometry import Box
from seal.inference.answers.protocol import AnswerModel, Cost
from seal.inference.vicrop.build_reader import build_reader
from seal.inference.vicrop.config import ViCropConfig
from seal.inference.vicrop.maps import general_floor, make_maps
from seal.inference.vicrop.place import PlacedMap, joined, window_of
from seal.inference.vicrop.reader import AttentionReader, Look
from seal.inference.vicrop.short_question import short_question
from seal.inference.vicrop.tiles import Tiling, tiling, wants_tiles
from seal.inference.vicrop.windows import Window
from seal.search.heatmap import GridHeat
from seal.search.locator import LocateRequest
from seal.search.result import SearchResult
from seal.search.tree import SearchNode


class ViCropLocator:
    """A `Locator` that is given the question: it always brings back one region, without a name."""

    by_question = True

    def __init__(self, answer_model: AnswerModel, config: ViCropConfig | None = None) -> None:
        """Reads `answer_model`, whose cost is charged with it.

        Raises:
            ValueError: the model's attention cannot be read.
        """
        self.answer_model = answer_model
        self.config = config or ViCropConfig()
        self.reader: AttentionReader = build_reader(answer_model, self.config)

    def locate(self, requests: Sequence[LocateRequest]) -> list[SearchResult]:
        """Requests with the same image and question share one map, charged to the first of them,
        and where they are asked for several (`asked_for`) to the first of each: what a question
        costs does not depend on those beside it.

        Raises:
            ValueError: a request without a question.
        """
        before = replace(self.answer_model.cost)
        first: dict[tuple[int, str], int] = {}
        for i, request in enumerate(requests):
            if not request.question.strip():
                raise ValueError(
                    f"ViCrop looks for what a question needs, and {request.target!r} comes without "
                    "one: ask a question, or choose a search for names"
                )
            first.setdefault((id(request.image), request.question), i)
        asked = [requests[i] for i in first.values()]
        found = dict(zip(first, self._found(asked), strict=True))
        results = []
        owed: dict[tuple[Hashable, ...], tuple[LocateRequest, Cost]] = {}
        for request in requests:
            key = id(request.image), request.question
            result, cost = found[key]
            charged = (*key, request.asked_for) not in owed
            results.append(_named(result, request.target, charged=charged))
            owed.setdefault((*key, request.asked_for), (request, cost))
        self._charge(list(owed.values()), self.answer_model.cost - before)
        return results

    def _charge(self, owed: Sequence[tuple[LocateRequest, Cost]], spent: Cost) -> None:
        """Whoever asked is charged what it would have cost alone, shared reading again."""
        account = getattr(self.answer_model, "account", None)
        if account is None or any(request.asked_for is None for request, _ in owed):
            return
        account.total.add(sum((cost for _, cost in owed), Cost()) - spent)
        for request, cost in owed:
            account.owe(request, cost)

    def _found(self, requests: Sequence[LocateRequest]) -> list[tuple[SearchResult, Cost]]:
        """All maps in one go, tiles of all images among them; and what each cost alone."""
        started = time.perf_counter()
        looks: list[Look] = []
        parts: list[tuple[slice, Tiling | None]] = []
        for request in requests:
            question = request.question
            if self.config.short_question:
                question = short_question(question)
            tiles = self._tiles(request.image)
            shown = [request.image] if tiles is None else tiles.cut(request.image)
            parts.append((slice(len(looks), len(looks) + len(shown)), tiles))
            looks += [Look(image, question) for image in shown]
        maps = make_maps(self.reader, looks, self.config)
        seconds = time.perf_counter() - started
        results = []
        for request, (part, tiles) in zip(requests, parts, strict=True):
            placed = (
                maps[part.start] if tiles is None else joined(maps[part], tiles, request.image.size)
            )
            window = window_of(
                placed,
                request.image.size,
                self.config.base_window or self.reader.defaults.base,
                scales=self.config.scales,
                guards=self.config.guards,
            )
            shown = part.stop - part.start
            share = seconds * shown / len(looks)
            cost = sum(self.reader.costs[part], Cost())
            results.append((self._result(request, placed, window, shown, share), cost))
        return results

    def _tiles(self, image: Image) -> Tiling | None:
        if not wants_tiles(self.config, image.size, shrinks=self.reader.defaults.shrinks):
            return None
        released = not self.config.guards
        return tiling(image.size, self.config.tile_threshold, as_released=released)

    def _result(
        self,
        request: LocateRequest,
        placed: PlacedMap,
        window: Window,
        num_maps: int,
        seconds: float,
    ) -> SearchResult:
        root = SearchNode(
            Box(0, 0, *request.image.size),
            confidence=1.0,
            best_box=window.box,
            heat=_heat(placed, request.image),
        )
        return SearchResult(
            target=request.target,
            strategy=f"vicrop_{self.config.method}",
            found=True,
            boxes=[window.box],
            scores=[1.0],
            best_box=window.box,
            best_score=1.0,
            num_steps=1,
            path=[root],
            image_size=request.image.size,
            config=self._told(placed, window),
            calls={"map": num_maps},
            seconds={"map": seconds},
        )

    def _told(self, placed: PlacedMap, window: Window) -> dict[str, Any]:
        """The settings, what they came to for this model, and how the window was chosen."""
        defaults, config = self.reader.defaults, self.config
        floor = general_floor(self.reader, config)
        return asdict(config) | {
            "scales": list(config.scales),
            "layer": self.reader.layer if config.layer is None else config.layer,
            "num_layers": self.reader.num_layers,
            "base_window": config.base_window or defaults.base,
            "general_floor": floor,
            "grid": list(placed.values.shape),
            "view_xyxy": [placed.view.x0, placed.view.y0, placed.view.x1, placed.view.y1],
            "window_scale": window.scale,
            "window_sharpness": None if np.isnan(window.sharpness) else window.sharpness,
            "whole_image": window.whole,
            "notes": list(window.notes),
        }


def _heat(placed: PlacedMap, image: Image) -> GridHeat:
    """The map over the image, for pictures and traces; cells without a number are cold."""
    box = Box(0, 0, *image.size)
    values = np.nan_to_num(placed.values, nan=0.0, posinf=0.0, neginf=0.0)
    laid = PlacedMap(values, placed.view).over(box)
    return GridHeat(np.clip(laid, 0, None), box.width, box.height, float(laid.max()))


def _named(result: SearchResult, target: str, *, charged: bool) -> SearchResult:
    """The same result for one of the targets that share it."""
    values = {name: getattr(result, name) for name in result.__dataclass_fields__}
    if not charged:
        values |= {"calls": {}, "seconds": {}}
    return SearchResult(**values | {"target": target})
