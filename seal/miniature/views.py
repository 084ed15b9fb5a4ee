"""Rectangles cut out of a scene, and what each shows: the source of every training example."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seal.geometry import Box
from seal.miniature.world import KINDS, Scene, Thing, badge_box

MIN_PART = 0.55  # of an object's area: from here on it is in the view; its box is cut at the border
MAX_TRACE = 0.12  # up to here it is not; in between nothing is said about it
LEVELS = 4  # depths of the search tree: the whole scene, then halves of the last in each direction


@dataclass(frozen=True, slots=True)
class Seen:
    """A thing in a view."""

    thing: Thing
    box: Box  # view pixels, cut at the view's border
    badge: Box | None  # the same; None: it has none, or not here
    part: float  # of its area inside the view


@dataclass(frozen=True, slots=True)
class View:
    """`box` of a scene, in the scene's pixels."""

    scene: Scene
    box: Box

    @property
    def width(self) -> int:
        return round(self.box.width)

    @property
    def height(self) -> int:
        return round(self.box.height)

    def things(self) -> list[Seen]:
        """Objects, then distractors, of which anything lies inside."""
        found = []
        for thing in (*self.scene.objects, *self.scene.distractors):
            box = self._inside(thing.box)
            if box is not None:
                badge = None if thing.badge is None else self._inside(badge_box(thing))
                found.append(Seen(thing, box, badge, box.area / thing.box.area))
        return found

    def objects(self) -> list[Seen]:
        """The objects that are in the view."""
        return [s for s in self.things() if s.thing.kind is not None and s.part >= MIN_PART]

    def missing(self) -> list[str]:
        """Kinds of which the view shows nothing to speak of."""
        traces = {s.thing.kind for s in self.things() if s.part > MAX_TRACE}
        return [name for name in KINDS if name not in traces]

    def regions(self) -> dict[str, Box]:
        """Each region's part of the view, in view pixels."""
        parts = {}
        for region in self.scene.regions:
            inside = self._inside(region.box)
            if inside is not None:
                parts[region.name] = inside
        return parts

    def swatches(self) -> list[tuple[str, Box]]:
        """The parts of swatches that lie in the view, in view pixels, in the order drawn."""
        inside = [(swatch.name, self._inside(swatch.box)) for swatch in self.scene.swatches]
        return [(name, box) for name, box in inside if box is not None]

    def _inside(self, box: Box) -> Box | None:
        """The part of a box of the scene that is in the view, in view pixels."""
        shared = intersect(box, self.box)
        return None if shared is None else shared.shift(-self.box.x0, -self.box.y0)


def intersect(a: Box, b: Box) -> Box | None:
    """What two boxes share; None: nothing."""
    x0, y0, x1, y1 = max(a.x0, b.x0), max(a.y0, b.y0), min(a.x1, b.x1), min(a.y1, b.y1)
    return Box(x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def random_view(
    rng: np.random.Generator, scene: Scene, level: int, *, at_object: bool = False
) -> View:
    """A view as large as a region of the search tree `level` splits below the whole scene.

    Half of them lie on the tree's grid, half anywhere. `at_object` puts one of the objects inside.
    """
    width, height = scene.width >> level, scene.height >> level
    if level == 0:
        return View(scene, Box(0, 0, width, height))
    on_grid = rng.random() < 0.5
    if at_object:
        thing = scene.objects[int(rng.integers(len(scene.objects)))].box
        if on_grid:
            x = int((thing.x0 + thing.x1) / 2) // width * width
            y = int((thing.y0 + thing.y1) / 2) // height * height
        else:
            x = int(rng.integers(int(thing.x1) - width, int(thing.x0) + 1))
            y = int(rng.integers(int(thing.y1) - height, int(thing.y0) + 1))
    elif on_grid:
        x, y = (int(rng.integers(1 << level)) * side for side in (width, height))
    else:
        x, y = int(rng.integers(scene.width)), int(rng.integers(scene.height))
    x, y = min(max(x, 0), scene.width - width), min(max(y, 0), scene.height - height)
    return View(scene, Box(x, y, x + width, y + height))
