"""The tiny world's held-out benchmark, in the folder form of V*Bench."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from seal.miniature.scenes import save_picture, split_seed
from seal.miniature.world import BADGE_COLORS, SIZES, Scene, home, make_scene
from seal.miniature.world_questions import (
    Asked,
    absence_sentence,
    attribute_question,
    badge_sentence,
    draw_relation,
)

# V*Bench has the first two; targets that are not in the image are ours.
FOLDERS = ("direct_attributes", "relative_position", "absent_targets")
HOME, AWAY, ABSENT = "home", "away", "absent"


def build_benchmark(
    out: Path, *, counts: dict[str, int], seed: int, homes: str = "habitual"
) -> int:
    """Write `counts[folder]` questions to each folder, every one on a scene of its own.

    `homes="shuffled"` makes the control: the same questions where context says nothing.
    """
    if unknown := set(counts) - set(FOLDERS):
        raise ValueError(f"unknown folders {sorted(unknown)}; known: {', '.join(FOLDERS)}")
    for folder in FOLDERS:
        others = {p.stem for p in (out / folder).glob("*.json")}
        others -= {f"{number:04d}" for number in range(counts.get(folder, 0))}
        if others:
            raise ValueError(
                f"{out / folder} holds questions beyond the {counts.get(folder, 0)} asked for, "
                f"{min(others)}.json among them; choose another folder"
            )
    jobs = [(folder, number) for folder in FOLDERS for number in range(counts.get(folder, 0))]
    for index, (folder, number) in enumerate(tqdm(jobs, "benchmark", unit="question")):
        _write(out / folder, f"{number:04d}", index, folder, seed, homes)
    return len(jobs)


def _write(folder: Path, stem: str, index: int, kind: str, seed: int, homes: str) -> None:
    world = split_seed("benchmark", seed)
    rng = np.random.default_rng((world, index, 1))
    size = SIZES[int(rng.choice(len(SIZES), p=(0.6, 0.2, 0.2)))]
    scene = make_scene(world, index, size, homes=homes)
    if kind == "direct_attributes":
        asked = attribute_question(scene.objects[int(rng.integers(len(scene.objects)))], rng)
    elif kind == "relative_position":
        asked = draw_relation(scene, rng)
    else:
        asked = _absent_question(str(rng.choice(scene.absent)), rng)
    save_picture(scene.render(), folder / f"{stem}.jpg")
    text = json.dumps(_annotation(scene, asked, world, index, homes), indent=1)
    (folder / f"{stem}.json").write_text(text + "\n", encoding="utf-8")


def _annotation(scene: Scene, asked: Asked, world: int, index: int, homes: str) -> dict[str, Any]:
    boxes: list[list[float] | None] = []
    groups = []
    for target in asked.targets:
        if target in scene.absent:
            boxes.append(None)
            groups.append(ABSENT)
            continue
        thing = scene.find(target)
        boxes.append([thing.box.x0, thing.box.y0, thing.box.width, thing.box.height])
        groups.append(HOME if thing.at_home else AWAY)
    return {
        "target_object": list(asked.targets),
        "bbox": boxes,
        "question": asked.text,
        "options": list(asked.options),
        "meta": {
            "groups": groups,
            "homes": [home(target, scene.shown) for target in asked.targets],
            "regions": sorted(scene.shown),
            "scene": {"seed": world, "index": index, "homes": homes},
        },
    }


def _absent_question(kind: str, rng: np.random.Generator) -> Asked:
    """Something that is not there to be answered from; the truth is to say so."""
    colors = rng.permutation(list(BADGE_COLORS))[:3].tolist()
    options = (absence_sentence(kind), *(badge_sentence(kind, color) for color in colors))
    return Asked(f"What is the color of the badge of the {kind}?", options, (kind,))
