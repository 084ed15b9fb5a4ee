"""Scenes of the tiny world from near, from midway and from afar, and how much detail a question
about them needs.

A scene fills tiles of the tower one to one, and holds one object among badged discs. From near it
is as large as half a tile, from afar as small as a patch and in a crowd: coarse tokens hold badges
of several things then, and only the finest tell them apart. Regions are told by coarse tokens;
fine ones also tell of swatches, which look like a region and are none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from seal.geometry import Box
from seal.miniature.textures import BRIGHTNESS
from seal.miniature.textures import TILE as TEXTURE
from seal.miniature.world import REGIONS, Region, Scene, Thing, make_scene
from seal.miniature.world_questions import Asked, attribute_question, presence_question

TILE = 112  # pixels a side that the miniature's tower sees at once
PICTURES = ((2 * TILE, 2 * TILE), (2 * TILE, TILE), (TILE, 2 * TILE))  # width, height
REGION = "region"  # the sort of a question that needs no detail; the others are distances
SWATCHES, SWATCH_PIXELS = (3, 6), (12, 17)  # fewest and most; of a side
_ATTEMPTS = 1000  # places tried for a scene; a thing does not fit into every region


@dataclass(frozen=True, slots=True)
class Distance:
    """What a scene holds that is seen from there; numbers are the fewest and the most."""

    scale: float  # of things, times those of the large scenes
    regions: tuple[int, int]
    discs: tuple[int, int]  # of a picture of four tiles, and of one of two; every other has a badge


DISTANCES = {
    "near": Distance(2.8, (1, 2), (2, 1)),
    "midway": Distance(2.0, (2, 3), (5, 3)),
    "far": Distance(1.1, (2, 3), (18, 10)),
}


def draw_scene(world: int, index: int) -> tuple[str, Scene]:
    """Scene number `index` of a world, and the distance it is seen from."""
    rng = np.random.default_rng((world, index, 2))
    name = str(rng.choice(list(DISTANCES)))
    size = PICTURES[int(rng.integers(len(PICTURES)))]
    distance, whole = DISTANCES[name], size == PICTURES[0]
    for attempt in range(_ATTEMPTS):
        try:
            scene = make_scene(
                world,
                index * _ATTEMPTS + attempt,
                size,
                num_objects=(1, 1),
                num_distractors=distance.discs[0 if whole else 1],
                num_shown=distance.regions,
                scale=distance.scale,
            )
        except ValueError:  # no room for a thing in its region
            continue
        return name, _with_swatches(scene, rng)
    raise ValueError(f"world {world}: nothing seen from {name} fits into {size}")


def _with_swatches(scene: Scene, rng: np.random.Generator) -> Scene:
    """Most are of regions that the scene does not show."""
    hidden = [region for region in REGIONS if region not in scene.shown]
    swatches = []
    for number in range(int(rng.integers(SWATCHES[0], SWATCHES[1] + 1))):
        width, height = (int(side) for side in rng.integers(*SWATCH_PIXELS, 2))
        x, y = int(rng.integers(scene.width - width)), int(rng.integers(scene.height - height))
        name = str(rng.choice(hidden if number % 3 else REGIONS))
        offset = int(rng.integers(TEXTURE)), int(rng.integers(TEXTURE))
        shade = int(rng.integers(len(BRIGHTNESS)))
        swatches.append(Region(name, Box(x, y, x + width, y + height), offset, shade))
    return replace(scene, swatches=tuple(swatches))


def region_question(scene: Scene, rng: np.random.Generator) -> Asked:
    """About a region that is shown as often as not: no detail is needed."""
    hidden = [region for region in REGIONS if region not in scene.shown]
    shown = bool(rng.random() < 0.5)
    region = str(rng.choice(sorted(scene.shown) if shown else hidden))
    return presence_question(region, shown)


def draw_questions(scene: Scene, rng: np.random.Generator) -> list[tuple[Asked, Thing | None]]:
    """One about a region and one about the object, in any order; what is asked about beside it."""
    (thing,) = scene.objects
    asked = [(region_question(scene, rng), None), (attribute_question(thing, rng), thing)]
    return [asked[i] for i in rng.permutation(2)]
