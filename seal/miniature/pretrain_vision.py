"""Pretrain the miniature's two vision towers, its stand-ins for OWL-ViT and CLIP.

Both learn from labeled views of fresh scenes: the detector to score every kind of object at the one
candidate on its center, both to tell from every patch token what lies in its cell.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from seal.geometry import Box
from seal.images import normalize_bytes, pad_to_square, resized_bytes
from seal.losses.detection import focal_loss, giou_loss, l1_loss
from seal.miniature.pretraining import pretrain
from seal.miniature.views import MIN_PART, View, intersect, random_view
from seal.miniature.world import BADGE_COLORS, BODY_COLORS, KINDS, REGIONS, SIZES, make_scene
from seal.models.parts.owlvit import OwlViT, OwlViTConfig
from seal.models.parts.vision import VisionConfig, VisionTower

BADGES = tuple(f"{color} badge" for color in BADGE_COLORS)
LABELS = (*REGIONS, *KINDS, *BODY_COLORS, "disc", *BADGES)
MIN_BOX_PIXELS = 6.0  # on the detector's input; smaller objects have no box (cf. GroundingConfig)
RATE, MATRIX_RATE = 2e-3, 2e-2  # peaks
# Most scenes are smaller and crowded: the same things at the same sizes, many more in a view.
CROWDED, CROWDED_OBJECTS, CROWDED_SHARE = (512, 512), (18, 28), 0.7
_PLACE = {name: index for index, name in enumerate(LABELS)}


@dataclass(frozen=True, slots=True)
class Example:
    """A view on a model's square input."""

    pixels: NDArray[np.uint8]  # (3, S, S)
    cells: NDArray[np.float32]  # (G, G, labels): how much of the cell, or of the thing, is there
    kinds: list[int]  # of objects large enough to box
    boxes: list[tuple[float, float, float, float]]  # cxcywh in [0, 1] of the square
    ignored: list[tuple[int, tuple[float, float, float, float]]]  # objects neither here nor there


def examples(
    seed: int, size: int, grid: int, shares: tuple[float, ...], *, squared: bool, closeups: float
) -> Iterator[Example]:
    """An endless stream. `shares`: of views of each depth; `closeups`: of crops of one object.

    `squared` pads what is not square, at either anchor; otherwise the view is stretched.
    """
    rng = np.random.default_rng((seed, size))
    index = 0
    while True:
        chunk = []
        for _ in range(24):
            crowded = rng.random() < CROWDED_SHARE
            if crowded:
                # Half of them without habits, lest an object be seen only where it is expected.
                scene = make_scene(
                    seed,
                    index,
                    CROWDED,
                    homes="shuffled" if rng.random() < 0.5 else "habitual",
                    num_objects=CROWDED_OBJECTS,
                    num_distractors=24,
                )
            else:
                scene = make_scene(seed, index, SIZES[int(rng.integers(len(SIZES)))])
            index += 1
            picture = scene.render()
            for _ in range(10):
                if rng.random() < closeups:
                    view = _closeup(rng, View(scene, Box(0, 0, *picture.size)))
                else:
                    level = int(rng.choice(len(shares), p=shares))
                    if crowded:  # half as wide: one level less to the same sizes
                        level = max(level - 1, 0)
                    view = random_view(rng, scene, level, at_object=bool(rng.random() < 0.6))
                chunk.append(_example(rng, picture, view, size, grid, squared))
        for place in rng.permutation(len(chunk)):
            yield chunk[place]


def _closeup(rng: np.random.Generator, whole: View) -> View:
    """About what the VQA LLM is shown of an object: its box scaled 1.2 times, badly found."""
    seen = whole.things()[int(rng.integers(len(whole.things())))].box
    side = max(seen.width, seen.height)
    dx, dy, wider, taller = rng.normal(0, 0.06, 4) * side
    width, height = seen.width * 1.2 + abs(wider), seen.height * 1.2 + abs(taller)
    x, y = (seen.x0 + seen.x1 - width) / 2 + dx, (seen.y0 + seen.y1 - height) / 2 + dy
    box = intersect(Box(int(x), int(y), int(x + width), int(y + height)), whole.box)
    assert box is not None
    return View(whole.scene, box)


def _example(
    rng: np.random.Generator,
    picture: Image.Image,
    view: View,
    size: int,
    grid: int,
    squared: bool,
) -> Example:
    crop = picture.crop(view.box.as_ints())
    frame_width, frame_height, dx, dy = view.width, view.height, 0, 0
    if squared and rng.random() < 0.8:  # crops of objects are stretched
        crop, (dx, dy) = pad_to_square(crop, "top_left" if rng.random() < 0.5 else "center")
        frame_width = frame_height = crop.width

    def placed(box: Box) -> tuple[float, float, float, float]:
        x0, x1 = (box.x0 + dx) / frame_width, (box.x1 + dx) / frame_width
        y0, y1 = (box.y0 + dy) / frame_height, (box.y1 + dy) / frame_height
        return (x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0

    cells = cells_of(view, grid, placed)
    kinds, boxes, ignored = [], [], []
    names = list(KINDS)
    for seen in view.things():
        box = placed(seen.box)
        if seen.thing.kind is None:
            continue
        number = names.index(seen.thing.kind)
        if seen.part < MIN_PART:
            ignored.append((number, box))
        elif max(box[2], box[3]) * size >= MIN_BOX_PIXELS:
            kinds.append(number)
            boxes.append(box)
    crop = crop.resize((size, size), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return Example(resized_bytes(crop, size), cells, kinds, boxes, ignored)


Placed = tuple[float, float, float, float]


def cells_of(view: View, grid: int, placed: Callable[[Box], Placed]) -> NDArray[np.float32]:
    """(grid, grid, labels): how much of each of `LABELS` a view shows in each cell of a square.

    placed: a box of the view as cxcywh in [0, 1] of the square.
    """
    cells = np.zeros((grid, grid, len(LABELS)), np.float32)
    for name, part in view.regions().items():
        cells[..., _PLACE[name]] += _coverage(placed(part), grid)
    for name, part in view.swatches():
        covered = _coverage(placed(part), grid)
        cells *= 1 - covered[..., None]
        cells[..., _PLACE[name]] += covered
    for seen in view.things():
        _mark(cells, (seen.thing.kind or "disc", seen.thing.color), placed(seen.box))
        if seen.badge is not None:
            _mark(cells, (f"{seen.thing.badge} badge",), placed(seen.badge))
    return cells


def _mark(
    cells: NDArray[np.float32],
    labels: tuple[str, ...],
    box: tuple[float, float, float, float],
) -> None:
    """A thing is in a cell by the share of the smaller of the two that lies in the other."""
    grid = len(cells)
    share = _coverage(box, grid) / min(1.0, max(box[2] * box[3] * grid**2, 1e-6))
    for label in labels:
        layer = cells[..., _PLACE[label]]
        np.maximum(layer, share, out=layer)


def _coverage(box: tuple[float, float, float, float], grid: int) -> NDArray[np.float32]:
    """(grid, grid): how much of each cell a cxcywh box covers."""
    x, y, w, h = box
    edges = np.arange(grid, dtype=np.float32) / grid
    spans = []
    for center, side in ((y, h), (x, w)):
        low, high = center - side / 2, center + side / 2
        overlap = np.minimum(edges + 1 / grid, high) - np.maximum(edges, low)
        spans.append(overlap.clip(0) * grid)
    return np.outer(*spans).astype(np.float32)


def _pixels(batch: list[Example]) -> Tensor:
    return torch.from_numpy(np.stack([normalize_bytes(example.pixels) for example in batch]))


def _cell_loss(logits: Tensor, batch: list[Example]) -> Tensor:
    return cell_loss(logits, torch.from_numpy(np.stack([example.cells for example in batch])))


def cell_loss(logits: Tensor, cells: Tensor) -> Tensor:
    """What lies in each cell: full marks above a third, none below a tenth, silent between.

    logits, cells: (B, G, G, labels); cells as `cells_of` makes them.
    """
    wanted = (cells > 0.33).float()
    known = ((cells > 0.33) | (cells < 0.1)).float()
    loss = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    # Things are rare: a cell that holds one counts for more.
    weight = known * (1 + 4 * wanted)
    return (loss * weight).sum((1, 2)).mean(0).sum() / logits.shape[1] ** 2


class KindTable(nn.Module):
    """One query a kind: what the detector's class head is compared with."""

    def __init__(self, query_size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(len(KINDS), query_size))

    def forward(self, detector: OwlViT, features: Tensor) -> Tensor:
        """(B, G, G, C) -> (B, G*G, kinds) logits, as `ClassHead` for every kind at once."""
        flat = features.flatten(1, 2)
        head = detector.class_head
        embedded = F.normalize(head.dense0(flat), dim=-1)
        cosine = embedded @ F.normalize(self.weight, dim=-1).T
        return (cosine + head.logit_shift(flat)) * (F.elu(head.logit_scale(flat)) + 1)


def _detection_loss(
    logits: Tensor, pred_boxes: Tensor, batch: list[Example], grid: int
) -> tuple[Tensor, Tensor]:
    """Only the token under an object's center is positive; its neighbors are left alone."""
    wanted = torch.zeros(len(batch), grid, grid, len(KINDS))
    known = torch.ones_like(wanted)
    places: list[tuple[int, int]] = []
    boxes: list[tuple[float, float, float, float]] = []
    for row, example in enumerate(batch):
        for kind, (x, y, w, h) in example.ignored:
            x0, x1 = (max(0, math.floor((x + s * w / 2) * grid)) for s in (-1, 1))
            y0, y1 = (max(0, math.floor((y + s * h / 2) * grid)) for s in (-1, 1))
            known[row, y0 : y1 + 1, x0 : x1 + 1, kind] = 0
        for kind, box in zip(example.kinds, example.boxes, strict=True):
            column, line = (min(int(v * grid), grid - 1) for v in box[:2])
            around = slice(max(0, line - 1), line + 2), slice(max(0, column - 1), column + 2)
            known[row][around][..., kind] = 0
            known[row, line, column, kind] = 1
            wanted[row, line, column, kind] = 1
            places.append((row, line * grid + column))
            boxes.append(box)
    count = max(len(boxes), 1)
    focal = focal_loss(logits.unflatten(1, (grid, grid)), wanted, alpha=0.5) * known
    if not boxes:
        return focal.sum() / count, pred_boxes.sum() * 0.0
    rows, tokens = torch.tensor(places).T
    chosen, truth = pred_boxes[rows, tokens], torch.tensor(boxes)
    box_loss = (5 * l1_loss(chosen, truth) + 2 * giou_loss(chosen, truth)).mean()
    return focal.sum() / count, box_loss


def pretrain_detector(
    config: OwlViTConfig, *, seed: int, num_steps: int, batch_size: int = 16
) -> tuple[OwlViT, Tensor]:
    """The detector and its (kinds, query_size) class embeddings."""
    torch.manual_seed(seed)
    detector = config.build()
    grid = config.grid_size
    table = KindTable(config.query_size)
    cell_head = nn.Linear(config.hidden_size, len(LABELS))
    with torch.no_grad():
        # A sharp cosine that starts out near "nothing here".
        for head, bias in (
            (detector.class_head.logit_scale, 10.0),
            (detector.class_head.logit_shift, -0.4),
        ):
            head.weight.mul_(0.1)
            head.bias.fill_(bias)
    stream = examples(
        seed, config.image_size, grid, (0.08, 0.22, 0.4, 0.3), squared=False, closeups=0.0
    )

    def losses(step: int) -> dict[str, Tensor]:
        batch = [next(stream) for _ in range(batch_size)]
        features = detector.encode(_pixels(batch))
        logits = table(detector, features)
        focal, box = _detection_loss(logits, detector.predict_boxes(features), batch, grid)
        cells = _cell_loss(cell_head(features), batch)
        return {"focal": focal, "box": box, "cells": 0.2 * cells}  # cells are many and easy

    trained = nn.ModuleList([detector, table, cell_head])
    pretrain(
        "detector",
        trained.named_parameters(),
        losses,
        num_steps=num_steps,
        rate=RATE,
        matrix_rate=MATRIX_RATE,
    )
    return detector.eval(), F.normalize(table.weight.detach(), dim=-1)


def pretrain_clip(
    config: VisionConfig, *, seed: int, num_steps: int, batch_size: int = 32
) -> VisionTower:
    """A tower whose read layer tells what lies in each patch."""
    torch.manual_seed(seed)
    tower = config.build()
    grid = config.image_size // config.patch_size
    cell_head = nn.Linear(config.hidden_size, len(LABELS))
    stream = examples(
        seed + 1, config.image_size, grid, (0.3, 0.3, 0.2, 0.2), squared=True, closeups=0.6
    )

    def losses(step: int) -> dict[str, Tensor]:
        batch = [next(stream) for _ in range(batch_size)]
        features = tower(_pixels(batch)).unflatten(1, (grid, grid))
        return {"cells": _cell_loss(cell_head(features), batch)}

    trained = nn.ModuleList([tower, cell_head])
    pretrain(
        "clip",
        trained.named_parameters(),
        losses,
        num_steps=num_steps,
        rate=RATE,
        matrix_rate=MATRIX_RATE,
    )
    return tower.eval()
