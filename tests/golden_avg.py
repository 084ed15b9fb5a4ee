"""AVG-LLaVA with the golden weights, through the real conversion, and its cases as samples."""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from golden_files import golden_json, golden_path
from golden_models import IMAGE
from torch import Tensor

from seal.batch import IGNORE_INDEX, VISUAL_TOKEN, Row, Visual
from seal.data.levels import at_level
from seal.images import open_image
from seal.images.tiles import cut_into_tiles
from seal.models.files.authors import config_of_authors
from seal.models.files.load import load_model
from seal.models.files.model_config import config_to_dict
from seal.models.files.shards import list_tensors
from seal.models.parts.vision import VisionConfig
from seal.models.vqa import VQAModel, VQAModelConfig
from seal.tiling import Tiling


def golden_config() -> VQAModelConfig:
    """As config.json and the shapes tell it; the tower's heads are in no shape, so it is told.

    Dropout was switched off where the numbers were made.
    """
    folder = golden_path("avg/model/config.json").parent
    content = golden_json("avg/model/config")
    told = config_of_authors(folder, content, list_tensors(folder))
    assert isinstance(told, VQAModelConfig) and told.router is not None
    vision = VisionConfig(**content["vision"], feature_layer=told.vision.feature_layer)
    return replace(told, vision=vision, router=replace(told.router, dropout=0.0))


@functools.cache
def golden_folder() -> Path:
    """The released layout, with the sizes beside it that published files leave out."""
    folder = Path(tempfile.mkdtemp(prefix="golden-avg-"))
    content = golden_json("avg/model/config") | {"seal": config_to_dict(golden_config())}
    (folder / "config.json").write_text(json.dumps(content))
    (folder / "model.safetensors").symlink_to(golden_path("avg/model/model.safetensors"))
    return folder


def build_golden_avg() -> VQAModel:
    """A new one at each call."""
    model = load_model(golden_folder())
    assert isinstance(model, VQAModel)
    return model


@functools.cache
def golden_avg() -> VQAModel:
    """Shared: do not train it."""
    return build_golden_avg()


def golden_levels() -> tuple[int, ...]:
    granularity = golden_config().granularity
    assert granularity is not None
    return tuple(granularity.levels)


@dataclass(frozen=True, slots=True)
class Picture:
    """A stored picture as the model sees it."""

    tiles: tuple[Tensor, ...]  # each (3, S, S), the global one first
    tiling: Tiling | None  # None: one tile, and no newline behind it

    def shown(self, level: int = 0, first: int = 0) -> Visual:
        """At a level (0: all tokens), where its tiles begin at `first`."""
        finest = self.tiles[0].shape[-1] // golden_config().vision.patch_size
        return at_level(Visual(first, long=True, tiling=self.tiling), level or finest**2)


@functools.cache
def picture(name: str | None) -> Picture:
    """A stored picture in tiles; None: the zeros that stand in for none."""
    config = golden_config()
    assert config.tiles is not None
    size, side = config.vision.image_size, config.vision.grid_size
    if name is None:
        return Picture((torch.zeros(3, size, size),), None)
    image = open_image(golden_path(f"avg/avg_{name}.png"))
    tiles, _ = cut_into_tiles(image, size, config.tiles)
    return Picture(
        tuple(map(torch.from_numpy, tiles)), config.tiles.tiling(*image.size, size, side)
    )


def row(ids: Sequence[int], shown: Sequence[Visual], labels: Sequence[int] | None = None) -> Row:
    """One position a picture -> one a visual token; without labels nothing is learnt."""
    learnt = [IGNORE_INDEX] * len(ids) if labels is None else labels
    pictures = iter(shown)
    repeats = torch.tensor([next(pictures).length if id_ == IMAGE else 1 for id_ in ids])
    marked = torch.tensor([VISUAL_TOKEN if id_ == IMAGE else id_ for id_ in ids])
    return Row(
        marked.repeat_interleave(repeats),
        torch.tensor(learnt).repeat_interleave(repeats),
        tuple(shown),
    )


def training_rows(case: dict[str, Any]) -> Iterator[tuple[str, Row, tuple[Tensor, ...]]]:
    """Of each sample of a stored batch its id, its row at the finest level, and its tiles."""
    stored = zip(
        case["input_ids"], case["labels"], case["attention_mask"], case["images"], strict=True
    )
    for number, (ids, labels, mask, name) in enumerate(stored):
        shown = () if name is None else (picture(name).shown(),)
        length = sum(mask)  # padded behind
        tiles = () if name is None else picture(name).tiles
        yield f"{case['id']}/{number}", row(ids[:length], shown, labels[:length]), tiles


def named(group: str, name: str) -> dict[str, Any]:
    """One case of `stage3` or `stage4`."""
    (found,) = (case for case in golden_json(f"avg/{group}")["cases"] if case["id"] == name)
    return found
