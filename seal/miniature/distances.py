"""Scenes of the tiny world from near, from midway and from afar, and how much detail a question
about them needs.

A scene fills tiles of the tower one to one. From near its few things are as large as half a tile,
from afar they are as small as a patch and stand close together, so that only the finest tokens tell
them apart. Regions are told by any tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seal.miniature.world import REGIONS, Scene, Thing, make_scene
from seal.miniature.world_questions import Asked, attribute_question, presence_question

TILE = 112  # pixels a side that the miniature's tower sees at once
PICTURES = ((2 * TILE, 2 * TILE), (2 * TILE, TILE), (TILE, 2 * TILE))  # width, height
REGION = "region"  # the sort of a question that needs no detail; the others are distances
_ATTEMPTS = 1000  # places tried for a scene; a thing does not fit into every region


@dataclass(frozen=True, slots=True)
class Distance:
    """What a scene holds that is seen from there; numbers are the fewest and the most."""

    scale: float  # of things, times those of the large scenes
    regions: tuple[int, int]
    objects: tuple[int, int]  # of a picture of four tiles, and of one of two
    few_objects: tuple[int, int]
    distractors: tuple[int, int]  # the same, one number each


DISTANCES = {
    "near": Distance(2.5, (1, 2), (1, 2), (1, 1), (1, 1)),
    "midway": Distance(1.4, (2, 3), (3, 4), (2, 3), (3, 2)),
    "far": Distance(0.8, (2, 4), (4, 6), (3, 4), (6, 4)),
}
SORTS = (REGION, *DISTANCES)


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
                num_objects=distance.objects if whole else distance.few_objects,
                num_distractors=distance.distractors[0 if whole else 1],
                num_shown=distance.regions,
                scale=distance.scale,
            )
        except ValueError:  # no room for a thing in its region
            continue
        return name, scene
    raise ValueError(f"world {world}: nothing seen from {name} fits into {size}")


def region_question(scene: Scene, rng: np.random.Generator) -> Asked:
    """About a region that is shown as often as not: no detail is needed."""
    hidden = [region for region in REGIONS if region not in scene.shown]
    shown = bool(rng.random() < 0.5)
    region = str(rng.choice(sorted(scene.shown) if shown else hidden))
    return presence_question(region, shown)


def draw_questions(
    scene: Scene, rng: np.random.Generator, count: int
) -> list[tuple[Asked, Thing | None]]:
    """Up to `count` different questions in any order, the things they ask about beside them; one
    asks about a region."""
    things = [scene.objects[i] for i in rng.permutation(len(scene.objects))[: count - 1]]
    asked = [(region_question(scene, rng), None)]
    asked += [(attribute_question(thing, rng), thing) for thing in things]
    return [asked[i] for i in rng.permutation(len(asked))]
