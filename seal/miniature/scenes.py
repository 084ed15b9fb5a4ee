"""Record sets of the tiny world: what the miniature's models are trained on.

Every set draws its own scenes; none of them occurs in another set, nor in the benchmark.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from seal.building.records.writer import BuildConfig, Make, Outcome, build_set
from seal.data.masks import mask_to_rle
from seal.data.record_set import (
    ASSISTANT,
    HUMAN,
    Expression,
    Message,
    Record,
    RecordSet,
    RecordTarget,
)
from seal.data.record_set_writer import SET_FILE
from seal.geometry import Box
from seal.miniature.corpus import DESCRIBE
from seal.miniature.pretrain_llava import clearly_shown
from seal.miniature.views import View, intersect, random_view
from seal.miniature.world import DEFAULT_SIZE, KINDS, REGIONS, SIZES, Scene, make_scene
from seal.miniature.world_questions import (
    Asked,
    absence_sentence,
    attribute_question,
    draw_relation,
    place,
    presence_question,
    scene_caption,
    thing_caption,
    where_question,
)
from seal.text.prompts import focused_question, missing_phrase, refusal
from seal.text.tokens import IMAGE_PLACEHOLDER, OBJECT_PLACEHOLDER
from seal.version import __version__

LICENSE = "MIT"
SETS = ("vqa_align", "vqa_instruct", "vqa_no_crops", "vsm")
ON_REQUEST = ("vqa_attributes",)  # questions of the sets above, by themselves
SPLITS = ("base", *SETS, "benchmark")  # a world of its own for each
LEVEL_SHARES = (0.3, 0.42, 0.28)  # views of each depth of the search tree below the whole scene
VIEWS_PER_SCENE = 8
VIEW_PIXELS = 128  # short side of a stored view: what the detector sees of it
SMALL_PIXELS = 224  # long side of a stored scene of which only the global view is used
# Crops look the same in a smaller scene with fewer things, which is read much faster.
COMPACT = (384, 384)
COMPACT_OBJECTS, COMPACT_DISTRACTORS, COMPACT_SHARE = (4, 5), 4, 0.75
# Questions a scene about one object, and about two.
COMPACT_QUESTIONS, QUESTIONS = (4, 3), (1, 1)
JITTER = 0.08  # of a target's box, as a share of its side: searches do not find boxes exactly


def split_seed(split: str, seed: int) -> int:
    """The world a split draws its scenes from."""
    return seed * len(SPLITS) + SPLITS.index(split)


def save_picture(picture: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, "JPEG", quality=95, subsampling=0)


def build_scene_set(name: str, out: Path, *, num_scenes: int, seed: int, workers: int) -> RecordSet:
    """Write one of `SETS` or `ON_REQUEST` to `out`, images included; the same set, if complete, is
    kept."""
    known = (*SETS, *ON_REQUEST)
    if name not in known:
        raise ValueError(f"there is no set {name!r} of scenes; known: {', '.join(known)}")
    makers: dict[str, Callable[[Path, int], Make]] = {
        "vqa_align": AlignScenes,
        "vqa_instruct": InstructScenes,
        "vqa_attributes": AttributeScenes,
        "vqa_no_crops": NoCropScenes,
        "vsm": SearchScenes,
    }
    split = "vqa_instruct" if name == "vqa_attributes" else name
    make = makers[name](out / "images", split_seed(split, seed))
    return write_set(name, make, out, num_scenes=num_scenes, seed=seed, workers=workers)


def write_set(
    name: str, make: Make, out: Path, *, num_scenes: int, seed: int, workers: int
) -> RecordSet:
    """What `make` makes of that many scenes; pictures are below `out/images`."""
    settings = {"set": name, "scenes": num_scenes}
    if (out / SET_FILE).exists():
        kept = RecordSet.open(out)
        facts = (kept.description["seed"], kept.description["settings"])
        if facts == (seed, settings) and kept.description["versions"]["seal"] == __version__:
            return kept
    config = BuildConfig(
        annotations="", images=str(out / "images"), out=str(out), seed=seed, workers=workers
    )
    return build_set(config, make, num_scenes, builder="scenes", settings=settings)


@dataclass(frozen=True, slots=True)
class Scenes:
    """Scene number `index` becomes records; depends on (seed, index) alone."""

    images: Path
    seed: int

    def rng(self, index: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, index, 1))

    def save(self, picture: Image.Image, name: str) -> str:
        """Write a picture; returns its name below the image root."""
        save_picture(picture, self.images / f"{name}.jpg")
        return f"{name}.jpg"

    def save_small(self, picture: Image.Image, name: str) -> tuple[str, tuple[int, int]]:
        scale = SMALL_PIXELS / max(picture.size)
        size = round(picture.width * scale), round(picture.height * scale)
        small = picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
        return self.save(small, f"{name}-small"), size


def scene_record(
    source: str,
    name: str,
    image: str,
    size: tuple[int, int],
    turns: list[tuple[str, str]],
    targets: tuple[RecordTarget, ...] = (),
    expressions: tuple[Expression, ...] = (),
) -> Record:
    messages = []
    for number, (question, answer) in enumerate(turns):
        shown = f"{IMAGE_PLACEHOLDER}\n{question}" if number == 0 else question
        messages += [Message(HUMAN, shown), Message(ASSISTANT, answer)]
    return Record(
        name, source, LICENSE, image, size[0], size[1], tuple(messages), targets, expressions
    )


class AlignScenes(Scenes):
    """Captions: of a whole scene, and of close-ups of what is in it."""

    def __call__(self, index: int) -> Outcome:
        rng = self.rng(index)
        scene = make_scene(self.seed, index, SIZES[int(rng.integers(len(SIZES)))])
        picture = scene.render()
        image, size = self.save_small(picture, f"{index:06d}")
        records = [
            scene_record(
                "align", f"{index}-scene", image, size, [(DESCRIBE, scene_caption(scene.shown))]
            )
        ]
        things = (*scene.objects, *scene.distractors)
        for number in rng.permutation(len(things))[:5]:
            thing = things[number]
            left, top, right, bottom = _jittered(thing.box, scene, rng).as_ints()
            image = self.save(picture.crop((left, top, right, bottom)), f"{index:06d}-{number}")
            name, size = f"{index}-{number}", (right - left, bottom - top)
            turns = [(DESCRIBE, thing_caption(thing))]
            records.append(scene_record("align", name, image, size, turns))
        return Outcome(records)


class InstructScenes(Scenes):
    """Answers from crops, refusals without them, and what the whole image tells."""

    def __call__(self, index: int) -> Outcome:
        rng = self.rng(index)
        compact = rng.random() < COMPACT_SHARE
        if compact:
            scene = make_scene(
                self.seed,
                index,
                COMPACT,
                num_objects=COMPACT_OBJECTS,
                num_distractors=COMPACT_DISTRACTORS,
            )
        else:
            scene = make_scene(self.seed, index, SIZES[int(rng.integers(len(SIZES)))])
        picture = scene.render()
        image = self.save(picture, f"{index:06d}")
        records = []
        attributes, relations = COMPACT_QUESTIONS if compact else QUESTIONS
        for number, thing in enumerate(scene.objects[:attributes]):
            asked = attribute_question(thing, rng)
            records.append(self._focused(scene, rng, f"{index}-attribute{number}", image, asked))
        for number in range(relations):
            asked = draw_relation(scene, rng)
            records.append(self._focused(scene, rng, f"{index}-relation{number}", image, asked))
        records.append(self._not_found(scene, rng, f"{index}-absent", image))
        if not compact:  # refusing is for scenes in which nothing small can be seen
            records += self._global(scene, rng, index, picture)
        return Outcome(records)

    def _focused(
        self,
        scene: Scene,
        rng: np.random.Generator,
        name: str,
        image: str,
        asked: Asked,
    ) -> Record:
        targets = tuple(
            RecordTarget(kind, _jittered(scene.find(kind).box, scene, rng, context=1.0))
            for kind in asked.targets
        )
        turn = (focused_question([OBJECT_PLACEHOLDER] * len(targets), asked.text), asked.answer)
        return scene_record("instruct", name, image, (scene.width, scene.height), [turn], targets)

    def _not_found(self, scene: Scene, rng: np.random.Generator, name: str, image: str) -> Record:
        """A target that the search did not bring back, alone or beside one that it did."""
        missing = str(rng.choice(scene.absent))
        answer = absence_sentence(missing)
        size = (scene.width, scene.height)
        if rng.random() < 0.5:
            question = f"What is the color of the badge of the {missing}?"
            focused = focused_question([missing_phrase(missing)], question)
            return scene_record("absent", name, image, size, [(focused, answer)])
        thing = scene.objects[int(rng.integers(len(scene.objects)))]
        kind = str(thing.kind)
        target = RecordTarget(kind, _jittered(thing.box, scene, rng, context=1.0))
        axis = "to the left or to the right of" if rng.random() < 0.5 else "above or below"
        phrases = {kind: OBJECT_PLACEHOLDER, missing: missing_phrase(missing)}
        first, second = rng.permutation(list(phrases)).tolist()
        question = f"Is the {first} {axis} the {second}?"
        focused = focused_question([phrases[first], phrases[second]], question)
        return scene_record("absent", name, image, size, [(focused, answer)], (target,))

    def _global(
        self, scene: Scene, rng: np.random.Generator, index: int, picture: Image.Image
    ) -> list[Record]:
        """The global view alone: regions can be told, badges and places of objects cannot."""
        image, size = self.save_small(picture, f"{index:06d}")
        records = []
        for number in range(4):
            asked = draw_relation(scene, rng)
            if number % 2:
                asked = attribute_question(scene.objects[number], rng)
            turns = [(asked.text, refusal(asked.targets))]
            records.append(scene_record("negative", f"{index}-refusal{number}", image, size, turns))
        region = str(rng.choice(REGIONS))
        asked = presence_question(region, region in scene.shown)
        turns = [(DESCRIBE, scene_caption(scene.shown)), (asked.text, asked.answer)]
        for number, chosen in enumerate((turns, turns[::-1])):
            records.append(scene_record("global", f"{index}-global{number}", image, size, chosen))
        return records


class AttributeScenes(InstructScenes):
    """Of the same scenes the questions about one thing alone: the answer is read off its crop."""

    def __call__(self, index: int) -> Outcome:
        records = super().__call__(index).records
        return Outcome([record for record in records if "-attribute" in record.id])

    def _global(
        self, scene: Scene, rng: np.random.Generator, index: int, picture: Image.Image
    ) -> list[Record]:
        return []


class NoCropScenes(Scenes):
    """The same questions, to be answered from the whole image alone: the baseline's set."""

    def __call__(self, index: int) -> Outcome:
        rng = self.rng(index)
        scene = make_scene(self.seed, index, SIZES[int(rng.integers(len(SIZES)))])
        image, size = self.save_small(scene.render(), f"{index:06d}")
        asked = [attribute_question(thing, rng) for thing in scene.objects[:4]]
        asked += [draw_relation(scene, rng) for _ in range(4)]
        return Outcome([
            scene_record("no_crops", f"{index}-{number}", image, size, [(a.text, a.answer)])
            for number, a in enumerate(asked)
        ])  # fmt: skip


class SearchScenes(Scenes):
    """Views of every depth: what is where in them, what is not there, where it would likely be."""

    def __call__(self, index: int) -> Outcome:
        rng = self.rng(index)
        size = DEFAULT_SIZE if rng.random() < 0.5 else SIZES[int(rng.integers(1, len(SIZES)))]
        scene = make_scene(self.seed, index, size)
        picture = scene.render()
        records = []
        for number in range(VIEWS_PER_SCENE):
            level = 1 + int(rng.choice(len(LEVEL_SHARES), p=LEVEL_SHARES)) if number else 0
            view = random_view(rng, scene, level, at_object=bool(rng.random() < 0.75))
            records.append(self._view(view, rng, picture, f"{index:06d}-{number}"))
        return Outcome(records)

    def _view(
        self, view: View, rng: np.random.Generator, picture: Image.Image, name: str
    ) -> Record:
        scale = VIEW_PIXELS / min(view.width, view.height)
        size = round(view.width * scale), round(view.height * scale)
        crop = picture.crop(view.box.as_ints())
        crop = crop.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
        turns = []
        shown = clearly_shown(view)
        kinds = [kind for kind in KINDS if shown and shown.intersection(KINDS[kind].homes)]
        if shown and kinds:
            turns.append(where_question(str(rng.choice(kinds)), shown))
        expressions = tuple(_expressions(view, rng, size))
        return scene_record("scenes", name, self.save(crop, name), size, turns, (), expressions)


def _expressions(view: View, rng: np.random.Generator, size: tuple[int, int]) -> list[Expression]:
    """Two objects that are there, one that is not (or more, in their stead), and two regions.

    Two of a sort: what is asked about one thing alone in a picture is answered without its name.
    """
    seen = view.objects()
    chosen = [seen[i] for i in rng.permutation(len(seen))[:2]]
    found = [
        Expression(str(s.thing.kind), (box := _scaled(s.box, view, size),), _mask([box], size))
        for s in chosen
    ]
    for kind in _absent(view, rng)[: 3 - len(found)]:
        found.append(Expression(kind, (), _mask([], size)))
    for region, part in _draw_regions(view, rng)[:2]:
        texts = (region, f"the {region}", f"region {place(region)}")
        text = texts[int(rng.choice(3, p=(0.8, 0.1, 0.1)))]
        found.append(Expression(text, None, _mask([_scaled(part, view, size)], size)))
    return found


def _absent(view: View, rng: np.random.Generator) -> list[str]:
    """Kinds that are not in the view, first the ones whose color something in it has."""
    colors = {seen.thing.color for seen in view.things()}
    missing = rng.permutation(view.missing()).tolist()
    return sorted(missing, key=lambda kind: KINDS[kind].color not in colors)


def _draw_regions(view: View, rng: np.random.Generator) -> list[tuple[str, Box]]:
    """The regions of which the view shows more than a trace, in any order."""
    parts = {name: box for name, box in view.regions().items() if box.area > 0.01 * view.box.area}
    return [(name, parts[name]) for name in rng.permutation(list(parts)).tolist()]


def _scaled(box: Box, view: View, size: tuple[int, int]) -> Box:
    x, y = size[0] / view.width, size[1] / view.height
    return Box(box.x0 * x, box.y0 * y, box.x1 * x, box.y1 * y)


def _mask(boxes: list[Box], size: tuple[int, int]) -> dict[str, object]:
    mask = np.zeros((size[1], size[0]), np.uint8)
    for box in boxes:
        left, top = int(box.x0), int(box.y0)
        mask[top : max(round(box.y1), top + 1), left : max(round(box.x1), left + 1)] = 1
    return mask_to_rle(mask)


def _jittered(box: Box, scene: Scene, rng: np.random.Generator, *, context: float = 1.2) -> Box:
    """About where a search would say a thing is, grown by `context`; whole pixels."""
    width, height = box.width, box.height
    dx, dy, wider, taller = rng.normal(0, JITTER, 4) * max(width, height)
    width, height = max(width * context + wider, 8), max(height * context + taller, 8)
    x, y = (box.x0 + box.x1 - width) / 2 + dx, (box.y0 + box.y1 - height) / 2 + dy
    whole = Box(0, 0, scene.width, scene.height)
    inside = intersect(
        Box(float(int(x)), float(int(y)), float(int(x + width)), float(int(y + height))), whole
    )
    assert inside is not None
    return inside
