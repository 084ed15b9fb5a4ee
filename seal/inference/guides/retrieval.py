"""A retriever as a guide: how well each tile of the image matches what is looked for (RAP).

Wang et al. 2025 (Retrieval-Augmented Perception) rank tiles of an image by a query, keep how they
lie to each other, and let confidence decide how many are shown.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from seal.geometry import Box
from seal.inference.guides.features import FeatureCache, Features
from seal.inference.guides.guide import GuideCost
from seal.inference.guides.image_tiles import image_tiles, scores_map, tiles_inside
from seal.inference.guides.pair_encoder import PairEncoder, load_pair_encoder
from seal.search.config import SearchConfig
from seal.search.heatmap import GridHeat
from seal.search.protocol import Detections, Heat, Patch, Query, QueryKind
from seal.text.prompts import without_article


@dataclass(kw_only=True, slots=True)
class RetrievalConfig:
    """How an image is cut into tiles, and which of them are told."""

    tile_size: int | None = None  # pixels a side; None: as many as the model sees
    overlap: float = 0.5  # of neighbors, as a fraction of a side
    most_tiles: int = 400  # of an image; tiles grow until they are no more
    max_boxes: int = 5  # told of a patch, the best first
    keep: float = 0.5  # a box is told if its score is at least this fraction of the best one's
    nms_iou: float = 0.3  # and if it overlaps a better one no more than this
    prompt: str = "a photo of {}"  # of a target; a location phrase goes the same way
    neutral: str = "a photo"  # what CLIP weighs the prompt against; SigLIP does without

    def __post_init__(self) -> None:
        if self.tile_size is not None and self.tile_size < 1:
            raise ValueError(
                f"tile_size={self.tile_size} is no number of pixels; null is the model's"
            )
        for name in ("most_tiles", "max_boxes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} is not at least 1")
        if not 0 <= self.overlap <= 0.9:
            raise ValueError(f"overlap={self.overlap} is not in [0, 0.9]")
        for name in ("keep", "nms_iou"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}={getattr(self, name)} is not in [0, 1]")
        if self.prompt.count("{}") != 1:
            raise ValueError(f"prompt={self.prompt!r} needs one {{}} where the target goes")


class TileRetriever:
    """A `SearchModel` with `TargetHeat` on a CLIP or SigLIP; it has no contextual cue of its own.

    Tiles are embedded once per image, whatever patches and targets are asked about. A patch that
    holds no whole tile is embedded itself.
    """

    name = "retrieval"
    kinds: frozenset[QueryKind] = frozenset({"detect", "cue_heatmap", "target_heat"})

    def __init__(
        self,
        encoder: PairEncoder,
        config: RetrievalConfig | None = None,
        *,
        max_batch: int = 16,
        cache_mb: int = 512,
    ) -> None:
        """`max_batch`: tiles or texts in one pass; `cache_mb`: embeddings kept, on the device."""
        self.encoder = encoder
        self.config = config or RetrievalConfig()
        self.max_batch = max_batch
        self.cost = GuideCost()
        self._regions = FeatureCache(self._embed, max_bytes=cache_mb << 20)
        self._texts: OrderedDict[str, Tensor] = OrderedDict()

    def detect(self, queries: Sequence[Query]) -> list[Detections]:
        """The best tiles of each patch, with its heat."""
        scores = self._scores("detect", queries)
        found = []
        for query, (tiles, of_tiles, own) in zip(queries, scores, strict=True):
            inside = tiles_inside(tiles, query.patch.box)
            boxes = [tiles[i] for i in inside] or [query.patch.box]
            each = of_tiles[inside] if inside else own
            kept = _best(boxes, each, self.config)
            found.append(
                Detections(
                    _in_patch([boxes[i] for i in kept], query.patch.box),
                    each[kept].astype(np.float32),
                    _heat(query, tiles, of_tiles),
                )
            )
        return found

    def target_heat(self, queries: Sequence[Query]) -> list[Heat]:
        """How well the places of each patch match the target."""
        return self._heats("target_heat", queries)

    def cue_heatmap(self, queries: Sequence[Query]) -> list[Heat]:
        """How well they match a phrase."""
        return self._heats("cue_heatmap", queries)

    def search_config(self) -> SearchConfig:
        """Scores are confidences here, and heats as well: strong is what is likelier than not."""
        return SearchConfig(
            cue_threshold=0.5, cue_threshold_decay=1.0, cue_threshold_min=0.5, nms_iou=0.5
        )

    def settings(self) -> dict[str, Any]:
        config = self.config
        return {
            "model": self.encoder.name,
            "tile_size": config.tile_size or self.encoder.side,
            "overlap": config.overlap,
            "most_tiles": config.most_tiles,
            "prompt": config.prompt,
            "scores": "sigmoid" if self.encoder.judges_pairs else f"against {config.neutral!r}",
        }

    def forget(self, image: Image) -> None:
        """Drop the tiles of an image."""
        self._regions.forget(image)

    def _heats(self, kind: QueryKind, queries: Sequence[Query]) -> list[Heat]:
        return [
            _heat(query, tiles, of_tiles)
            for query, (tiles, of_tiles, _) in zip(
                queries, self._scores(kind, queries), strict=True
            )
        ]

    def _scores(
        self, kind: QueryKind, queries: Sequence[Query]
    ) -> list[tuple[list[Box], np.ndarray, np.ndarray]]:
        """Of each query: the tiles of its image, their scores, the score of the patch (1,).

        The patch is scored for `detect` alone, and if it holds no whole tile: else it is empty.
        """
        self.cost.count(kind, len(queries))
        sizes = dict.fromkeys(query.patch.image.size for query in queries)
        tiles = {size: self._tiles(*size) for size in sizes}
        asked: list[list[Patch]] = []
        for query in queries:
            image, own = query.patch.image, query.patch.box
            boxes = tiles[image.size]
            alone = kind == "detect" and not tiles_inside(boxes, own)
            asked.append([Patch(image, box) for box in (*boxes, *([own] if alone else []))])
        regions = iter(self._regions.get([patch for patches in asked for patch in patches]))
        self.cost.crops_encoded = self._regions.num_encoded
        texts = self._read([self._prompt(query.text) for query in queries])
        neutral = self._read([self.config.neutral])[0]
        answers = []
        for query, patches, text in zip(queries, asked, texts, strict=True):
            pictures = torch.stack([next(regions)[0] for _ in patches])  # (N, D)
            scores = self.encoder.scores(pictures, text, neutral)
            own_tiles = tiles[query.patch.image.size]
            count = len(own_tiles)
            answers.append((own_tiles, scores[:count], scores[count:]))
        return answers

    def _prompt(self, text: str) -> str:
        return self.config.prompt.format(without_article(text))

    def _tiles(self, width: int, height: int) -> list[Box]:
        config = self.config
        side = config.tile_size or self.encoder.side
        return image_tiles(width, height, side=side, overlap=config.overlap, most=config.most_tiles)

    def _embed(self, regions: list[Patch]) -> list[Features]:
        """(D,) of each region."""
        found: list[Features] = []
        for start in range(0, len(regions), self.max_batch):
            part = regions[start : start + self.max_batch]
            embedded = self.encoder.images([region.crop() for region in part])
            found += [(each.clone(),) for each in embedded]  # not views that keep the whole batch
            self.cost.calls += 1
        return found

    def _read(self, texts: Sequence[str]) -> list[Tensor]:
        new = [text for text in dict.fromkeys(texts) if text not in self._texts]
        for start in range(0, len(new), self.max_batch):
            part = new[start : start + self.max_batch]
            for text, each in zip(part, self.encoder.texts(part), strict=True):
                self._texts[text] = each.clone()
            self.cost.calls += 1
        self.cost.texts_encoded += len(new)
        found = []
        for text in texts:
            self._texts.move_to_end(text)
            found.append(self._texts[text])
        while len(self._texts) > max(1000, len(texts)):
            self._texts.popitem(last=False)
        return found


def load_retriever(
    name: str | Path,
    *,
    config: RetrievalConfig | None = None,
    device: str | None = None,
    dtype: torch.dtype | None = None,
    max_batch: int = 16,
    cache_mb: int = 512,
) -> TileRetriever:
    """The guide on the CLIP or SigLIP `name`; errors as of `load_pair_encoder`."""
    encoder = load_pair_encoder(name, device=device, dtype=dtype)
    return TileRetriever(encoder, config, max_batch=max_batch, cache_mb=cache_mb)


def _heat(query: Query, tiles: list[Box], scores: np.ndarray) -> GridHeat:
    x0, y0, x1, y1 = query.patch.box.as_ints()
    grid = scores_map(tiles, scores, Box(x0, y0, x1, y1))
    return GridHeat(grid, x1 - x0, y1 - y0, peak=float(grid.max()))


def _in_patch(boxes: list[Box], patch: Box) -> np.ndarray:
    """(N, 4) xyxy float32 in patch pixels, of boxes in image pixels."""
    x0, y0, x1, y1 = patch.as_ints()
    edges = np.array([(box.x0, box.y0, box.x1, box.y1) for box in boxes]).reshape(-1, 4)
    clipped = edges.clip([x0, y0, x0, y0], [x1, y1, x1, y1])
    return (clipped - [x0, y0, x0, y0]).astype(np.float32)


def _best(boxes: list[Box], scores: np.ndarray, config: RetrievalConfig) -> list[int]:
    """Places of the boxes to tell, the best first."""
    kept: list[int] = []
    order = np.argsort(-scores, kind="stable")
    for i in order.tolist():
        if len(kept) == config.max_boxes or scores[i] < config.keep * scores[order[0]]:
            break
        if all(boxes[i].iou(boxes[j]) <= config.nms_iou for j in kept):
            kept.append(i)
    return kept
