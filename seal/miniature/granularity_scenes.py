"""Record sets of scenes from near and afar, and the benchmark that goes with them.

What a model that chooses its number of visual tokens is trained and judged on. No scene occurs in
two sets, nor in those of `seal.miniature.scenes`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from seal.building.records.writer import Make, Outcome
from seal.data.record_set import RecordSet
from seal.files.whole import write_whole
from seal.miniature.corpus import DESCRIBE
from seal.miniature.distances import DISTANCES, REGION, draw_questions, draw_scene
from seal.miniature.scenes import Scenes, save_picture, scene_record, write_set
from seal.miniature.world import Thing
from seal.miniature.world_questions import Asked, scene_caption, thing_caption

GRANULARITY_SETS = ("granularity_align", "granularity", "granularity_router")
GRANULARITY_BENCHMARK = "granularity_benchmark"
QUESTIONS_FILE = "questions.jsonl"
# Sorts of the benchmark's questions, in turn: half need no detail, as in the sets.
SORTS_IN_TURN = tuple(sort for distance in DISTANCES for sort in (REGION, distance))
# Worlds of these sets: far from those of `split_seed`, which are counted from 0.
_FIRST_WORLD = 1_000_000


def granularity_world(name: str, seed: int) -> int:
    """The world a set, or the benchmark, draws its scenes from."""
    names = (*GRANULARITY_SETS, GRANULARITY_BENCHMARK)
    return _FIRST_WORLD + seed * len(names) + names.index(name)


def build_granularity_set(
    name: str, out: Path, *, num_scenes: int, seed: int, workers: int
) -> RecordSet:
    """Write one of `GRANULARITY_SETS` to `out`; the same set, if complete, is kept."""
    if name not in GRANULARITY_SETS:
        raise ValueError(f"there is no set {name!r}; known: {', '.join(GRANULARITY_SETS)}")
    makers: dict[str, Callable[[Path, int], Make]] = {
        "granularity_align": CaptionedScenes,
        "granularity": QuestionedScenes,
        "granularity_router": SingleQuestions,
    }
    make = makers[name](out / "images", granularity_world(name, seed))
    return write_set(name, make, out, num_scenes=num_scenes, seed=seed, workers=workers)


class CaptionedScenes(Scenes):
    """What a picture shows, the object in it or its regions; then questions about it."""

    def __call__(self, index: int) -> Outcome:
        rng = self.rng(index)
        _, scene = draw_scene(self.seed, index)
        image = self.save(scene.render(), f"{index:06d}")
        caption = scene_caption(scene.shown)
        if rng.random() < 0.5:
            caption = thing_caption(scene.objects[0])
        drawn = draw_questions(scene, rng)
        turns = [(DESCRIBE, caption), *((asked.text, asked.answer) for asked, _ in drawn)]
        size = (scene.width, scene.height)
        return Outcome([scene_record("captions", str(index), image, size, turns)])


class QuestionedScenes(Scenes):
    """Questions about one scene, as one conversation."""

    def __call__(self, index: int) -> Outcome:
        distance, scene = draw_scene(self.seed, index)
        image = self.save(scene.render(), f"{index:06d}")
        drawn = draw_questions(scene, self.rng(index))
        turns = [(asked.text, asked.answer) for asked, _ in drawn]
        size = (scene.width, scene.height)
        return Outcome([scene_record(distance, str(index), image, size, turns)])


class SingleQuestions(Scenes):
    """One question each: a router decides by the picture and the question."""

    def __call__(self, index: int) -> Outcome:
        distance, scene = draw_scene(self.seed, index)
        image = self.save(scene.render(), f"{index:06d}")
        size = (scene.width, scene.height)
        return Outcome([
            scene_record(
                REGION if thing is None else distance,
                f"{index}-{number}", image, size, [(asked.text, asked.answer)],
            )
            for number, (asked, thing) in enumerate(draw_questions(scene, self.rng(index)))
        ])  # fmt: skip


def build_granularity_benchmark(out: Path, *, questions: int, seed: int) -> int:
    """Write `questions` questions, each on a scene of its own, sort by sort in turn.

    The form is that of `seal.evaluation.tasks.own`: the category is the sort, `meta` holds the
    thing's size in pixels.
    """
    world = granularity_world(GRANULARITY_BENCHMARK, seed)
    lines, index = [], 0
    for number in tqdm(range(questions), "benchmark", unit="question"):
        sort = SORTS_IN_TURN[number % len(SORTS_IN_TURN)]
        distance, scene = draw_scene(world, index)
        while sort not in (REGION, distance):
            index += 1
            distance, scene = draw_scene(world, index)
        drawn = draw_questions(scene, np.random.default_rng((world, index, 1)))
        asked, thing = next(found for found in drawn if (found[1] is None) == (sort == REGION))
        name = f"{number:04d}"
        save_picture(scene.render(), out / f"{name}.jpg")
        where = {"distance": distance, "scene": {"world": world, "index": index}}
        lines.append(json.dumps(_line(name, sort, asked, thing, where)))
        index += 1
    write_whole(out / QUESTIONS_FILE, "\n".join(lines) + "\n")
    return questions


def _line(
    name: str, sort: str, asked: Asked, thing: Thing | None, where: dict[str, Any]
) -> dict[str, Any]:
    """The order of the options is drawn from the name: nothing is read off their places."""
    order = np.random.default_rng(int(name)).permutation(len(asked.options))
    line: dict[str, Any] = {
        "id": name,
        "image": f"{name}.jpg",
        "question": asked.text,
        "options": [asked.options[i] for i in order],
        "answer": asked.answer,
        "category": sort,
        "meta": where,
    }
    if thing is not None:
        box = thing.box
        line["targets"] = [
            {"name": thing.kind, "boxes": [[box.x0, box.y0, box.x1, box.y1]], "group": sort}
        ]
        line["meta"] |= {"pixels": max(box.width, box.height)}
    return line
