"""The tiny world: procedural scenes of regions, small badged objects and round distractors.

A kind of object has an ordered list of regions; its home in a scene is the first of them that the
scene shows. So where something most likely is cannot be known from its name alone: it must be read
off the scene. Everything about a scene depends on (seed, index) and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seal.geometry import Box
from seal.miniature.shapes import DISC, silhouette
from seal.miniature.textures import BRIGHTNESS, TILE, fill

REGIONS = ("sky", "water", "grass", "road", "sand", "snow", "wall")
# Two tones each, of which a body shows one half each: the split tells kinds of one color apart even
# where only the middle of the thing is seen.
BODY_COLORS = {
    "red": ((222, 24, 32), (70, 0, 60)),
    "yellow": ((250, 222, 10), (120, 60, 0)),
    "black": ((18, 18, 20), (150, 150, 160)),
    "magenta": ((214, 30, 190), (60, 0, 110)),
    "cyan": ((0, 222, 214), (0, 40, 110)),
}
BADGE_COLORS = {
    "white": (250, 250, 250),
    "green": (30, 160, 40),
    "blue": (40, 80, 250),
    "orange": (255, 140, 0),
    "pink": (255, 150, 205),
    "brown": (125, 75, 30),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of object. `homes`: regions by preference, the best first."""

    name: str
    color: str
    split: str  # between the tones: "rows", the light one above, or "columns", it on the left
    shape: str
    homes: tuple[str, ...]


# Two kinds share each color, with different first choices: color alone names nothing. Four homes
# among seven regions, at least four of them shown: every kind has a home in every scene.
KINDS = {
    kind.name: kind
    for kind in (
        Kind("boat", "red", "rows", "hull", ("water", "sand", "snow", "road")),
        Kind("car", "red", "columns", "square", ("road", "grass", "sand", "wall")),
        Kind("kite", "yellow", "rows", "diamond", ("sky", "sand", "grass", "snow")),
        Kind("lamp", "yellow", "columns", "cross", ("wall", "road", "snow", "grass")),
        Kind("bird", "black", "rows", "arrow", ("sky", "water", "wall", "sand")),
        Kind("goat", "black", "columns", "hourglass", ("grass", "snow", "road", "water")),
        Kind("sled", "magenta", "rows", "ladder", ("snow", "grass", "road", "sky")),
        Kind("tent", "magenta", "columns", "triangle", ("sand", "grass", "water", "wall")),
        Kind("duck", "cyan", "rows", "tee", ("water", "sky", "grass", "road")),
        Kind("sign", "cyan", "columns", "saltire", ("wall", "sand", "sky", "snow")),
    )
}
NUM_SHOWN = (4, 5)  # regions in a scene
NUM_OBJECTS = (6, 8)  # each of another kind
NUM_DISTRACTORS = 20
OBJECT_PIXELS = (19, 24)
BADGE_PIXELS = 5
BADGE_PLACE = -0.26  # of its center, from that of the thing, in sizes: up and to the left
AT_HOME = 0.9  # probability
MIN_REGION_SHARE = 0.22  # of the side that a cut divides
GAP = 3  # pixels between objects, and between an object and the edge of its region
DEFAULT_SIZE = (1024, 1024)
SIZES = (DEFAULT_SIZE, (1280, 832), (832, 1280))  # width, height


@dataclass(frozen=True, slots=True)
class Region:
    """A textured rectangle."""

    name: str
    box: Box
    offset: tuple[int, int]  # where its texture starts
    shade: int  # index into `BRIGHTNESS`


@dataclass(frozen=True, slots=True)
class Thing:
    """An object, or a distractor (`kind=None`)."""

    kind: str | None
    color: str
    shape: str
    box: Box  # whole pixels, tight
    size: int  # of the square the shape is drawn on, pixels
    badge: str | None
    region: str  # where it stands
    at_home: bool
    badge_size: int = BADGE_PIXELS  # of a side of its badge


@dataclass(frozen=True, slots=True)
class Scene:
    """What is in a picture; `render` draws it."""

    width: int
    height: int
    regions: tuple[Region, ...]
    objects: tuple[Thing, ...]
    distractors: tuple[Thing, ...]
    # Small pieces of a region's texture that are no region: they lie on what is shown.
    swatches: tuple[Region, ...] = ()

    @property
    def shown(self) -> frozenset[str]:
        """Names of the regions."""
        return frozenset(region.name for region in self.regions)

    @property
    def absent(self) -> tuple[str, ...]:
        """Kinds that are not in the scene."""
        present = {thing.kind for thing in self.objects}
        return tuple(name for name in KINDS if name not in present)

    def find(self, kind: str) -> Thing:
        """The one object of a kind that is in the scene."""
        return next(thing for thing in self.objects if thing.kind == kind)

    def repaint(self, old: str, new: str) -> Scene:
        """The same scene with its `old` region painted as `new`; what stands there stays."""
        if new not in REGIONS or new in self.shown or old not in self.shown:
            raise ValueError(
                f"the scene shows {sorted(self.shown)} of {', '.join(REGIONS)}: "
                f"cannot repaint {old!r} as {new!r}"
            )
        regions = tuple(replace(r, name=new) if r.name == old else r for r in self.regions)
        shown = frozenset(region.name for region in regions)

        def moved(thing: Thing) -> Thing:
            region = new if thing.region == old else thing.region
            at_home = thing.kind is not None and region == home(thing.kind, shown)
            return replace(thing, region=region, at_home=at_home)

        return replace(
            self,
            regions=regions,
            objects=tuple(map(moved, self.objects)),
            distractors=tuple(map(moved, self.distractors)),
        )

    def render(self) -> Image.Image:
        """RGB picture."""
        pixels = np.empty((self.height, self.width, 3), np.uint8)
        for region in (*self.regions, *self.swatches):
            x0, y0, x1, y1 = region.box.as_ints()
            fill(pixels[y0:y1, x0:x1], region.name, region.offset, region.shade)
        for thing in (*self.distractors, *self.objects):
            _draw(pixels, thing)
        return Image.fromarray(pixels)


def home(kind: str, shown: Sequence[str] | frozenset[str]) -> str | None:
    """The region of a scene where a kind habitually is; None: it shows none of its homes."""
    return next((region for region in KINDS[kind].homes if region in shown), None)


def make_scene(
    seed: int,
    index: int,
    size: tuple[int, int] = DEFAULT_SIZE,
    *,
    homes: str = "habitual",
    num_objects: tuple[int, int] = NUM_OBJECTS,
    num_distractors: int = NUM_DISTRACTORS,
    num_shown: tuple[int, int] = NUM_SHOWN,
    scale: float = 1.0,
) -> Scene:
    """Scene number `index` of a world.

    Args:
        num_shown: fewest and most regions.
        scale: things are drawn this many times larger, their badges with them; textures are not.
        size: width and height, pixels.
        homes: "habitual", or "shuffled": every object anywhere, the control in which context says
            nothing.
    """
    if homes not in ("habitual", "shuffled"):
        raise ValueError(f"homes={homes!r} must be 'habitual' or 'shuffled'")
    rng = np.random.default_rng((seed, index))
    width, height = size
    shown = rng.permutation(REGIONS)[: rng.integers(num_shown[0], num_shown[1] + 1)].tolist()
    boxes = _partition(rng, Box(0, 0, width, height), len(shown))
    regions = tuple(
        Region(
            name,
            box,
            (int(rng.integers(TILE)), int(rng.integers(TILE))),
            int(rng.integers(len(BRIGHTNESS))),
        )
        for name, box in zip(shown, boxes, strict=True)
    )
    by_name = {region.name: region for region in regions}
    things: list[Thing] = []
    count = int(rng.integers(num_objects[0], num_objects[1] + 1))
    # Beyond one of each, kinds repeat: crowded scenes, for pretraining alone.
    rounds = [rng.permutation(list(KINDS)) for _ in range(-(-count // len(KINDS)))]
    for name in np.concatenate(rounds)[:count]:
        kind = KINDS[str(name)]
        where = home(kind.name, shown)
        if homes == "shuffled":
            place = str(rng.choice(shown))
        elif where is not None and rng.random() < AT_HOME:
            place = where
        else:
            place = str(rng.choice([region for region in shown if region != where]))
        badge = str(rng.choice(list(BADGE_COLORS)))
        body = (kind.name, kind.color, kind.shape, badge)
        thing = _place(rng, *body, by_name[place], things, scale)
        things.append(replace(thing, at_home=place == where))
    # Regions by area: distractors do not know about them.
    areas = np.array([region.box.area for region in regions])
    for number in range(num_distractors):
        region = regions[int(rng.choice(len(regions), p=areas / areas.sum()))]
        color = str(rng.choice(list(BODY_COLORS)))
        spot = str(rng.choice(list(BADGE_COLORS))) if number % 2 else None
        things.append(_place(rng, None, color, DISC, spot, region, things, scale))
    return Scene(width, height, regions, tuple(things[:count]), tuple(things[count:]))


def _partition(rng: np.random.Generator, box: Box, count: int) -> list[Box]:
    """`count` rectangles that tile `box`: the largest is cut in two until there are enough."""
    boxes = [box]
    while len(boxes) < count:
        largest = boxes.pop(max(range(len(boxes)), key=lambda i: boxes[i].area))
        at = rng.uniform(MIN_REGION_SHARE + 0.1, 0.9 - MIN_REGION_SHARE)
        if rng.random() < largest.width / (largest.width + largest.height):
            x = float(round(largest.x0 + at * largest.width))
            boxes += [replace(largest, x1=x), replace(largest, x0=x)]
        else:
            y = float(round(largest.y0 + at * largest.height))
            boxes += [replace(largest, y1=y), replace(largest, y0=y)]
    return [boxes[i] for i in rng.permutation(count)]


def _place(
    rng: np.random.Generator,
    kind: str | None,
    color: str,
    shape: str,
    badge: str | None,
    region: Region,
    things: Sequence[Thing],
    scale: float,
) -> Thing:
    """A thing wholly inside `region` that touches no other."""
    left, top, right, bottom = region.box.as_ints()
    for _ in range(1000):
        size = round(scale * int(rng.integers(OBJECT_PIXELS[0], OBJECT_PIXELS[1] + 1)))
        height, width = silhouette(shape, size).shape
        if min(right - left - width, bottom - top - height) < 2 * GAP:
            continue
        x = int(rng.integers(left + GAP, right - GAP - width + 1))
        y = int(rng.integers(top + GAP, bottom - GAP - height + 1))
        around = Box(x - GAP, y - GAP, x + width + GAP, y + height + GAP)
        if all(around.iou(other.box) == 0 for other in things):
            box = Box(x, y, x + width, y + height)
            spot = round(scale * BADGE_PIXELS)
            return Thing(kind, color, shape, box, size, badge, region.name, False, spot)
    raise ValueError(f"no room for another {kind or 'distractor'} on the {region.name}")


def _draw(pixels: NDArray[np.uint8], thing: Thing) -> None:
    x0, y0, x1, y1 = thing.box.as_ints()
    coverage = silhouette(thing.shape, thing.size)[..., None]
    under = pixels[y0:y1, x0:x1]
    body = _tones(thing, coverage.shape[:2])
    pixels[y0:y1, x0:x1] = (coverage * body + (1 - coverage) * under).round().astype(np.uint8)
    if thing.badge is not None:
        x0, y0, x1, y1 = badge_box(thing).as_ints()
        pixels[y0:y1, x0:x1] = BADGE_COLORS[thing.badge]


def _tones(thing: Thing, shape: tuple[int, int]) -> NDArray[np.float32]:
    """(h, w, 3): the light tone and the dark one; round things are split along their diagonal."""
    y, x = (np.arange(side)[:, None] * 2 + 1 - side for side in shape)
    split = "diagonal" if thing.kind is None else KINDS[thing.kind].split
    dark = {"rows": y + 0 * x.T > 0, "columns": 0 * y + x.T > 0, "diagonal": y + x.T > 0}[split]
    light, shade = np.array(BODY_COLORS[thing.color], np.float32)
    return np.where(dark[..., None], shade, light)


def badge_box(thing: Thing) -> Box:
    """Where the square badge of a thing is, whole image pixels."""
    x0, y0, x1, y1 = thing.box.as_ints()
    x, y = (
        round((low + high) / 2 + BADGE_PLACE * thing.size - thing.badge_size / 2)
        for low, high in ((x0, x1), (y0, y1))
    )
    return Box(x, y, x + thing.badge_size, y + thing.badge_size)
