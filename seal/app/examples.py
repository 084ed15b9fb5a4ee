"""Pictures to begin with: drawn scenes that are made at the start, or a folder of one's own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from seal.images import open_image
from seal.miniature.world import SIZES, Scene, make_scene
from seal.miniature.world_questions import Asked, attribute_question, draw_relation

_WORLD = 20_260  # of scenes that no set and no benchmark shows
_KINDS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".avif"}
_MOST = 24


@dataclass(frozen=True, slots=True)
class Example:
    """A picture, and what can be asked about it."""

    name: str
    image: Image.Image
    question: str = ""
    options: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()  # to find, where there is no question


def drawn_examples() -> list[Example]:
    """Four scenes of the miniature's world, with a question each of another kind."""
    rng = np.random.default_rng(_WORLD)
    scenes = [make_scene(_WORLD, index, SIZES[index % len(SIZES)]) for index in range(4)]
    missing = scenes[2].absent[0]
    kinds = [str(thing.kind) for thing in scenes[3].objects[:3]]
    return [
        _asked("a color", scenes[0], attribute_question(scenes[0].objects[0], rng)),
        _asked("a relation", scenes[1], draw_relation(scenes[1], rng)),
        Example(
            "something that is not there",
            scenes[2].render(),
            f"What is the color of the badge of the {missing}?",
        ),
        Example("three things", scenes[3].render(), targets=tuple(kinds)),
    ]


def _asked(name: str, scene: Scene, asked: Asked) -> Example:
    # The first option is the true one: in order of the alphabet they do not tell.
    return Example(name, scene.render(), asked.text, tuple(sorted(asked.options)))


def folder_examples(folder: Path) -> list[Example]:
    """The pictures of a folder, by name; a `.json` beside one may hold `question` and `options`,
    or `target_object`, as in V*Bench.

    Raises:
        ValueError: it is no folder, or holds no picture.
    """
    if not folder.is_dir():
        raise ValueError(f"--examples {folder}: no such folder")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _KINDS)[:_MOST]
    if not files:
        raise ValueError(
            f"--examples {folder}: no picture in it ({', '.join(sorted(_KINDS))}); give a folder "
            "of pictures, or leave --examples out for drawn scenes"
        )
    return [_from_file(path) for path in files]


def _from_file(path: Path) -> Example:
    beside = path.with_suffix(".json")
    told: dict[str, Any] = {}
    if beside.is_file():
        try:
            told = json.loads(beside.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{beside}: {error}; mend it or remove it") from None
    if not isinstance(told, dict):
        raise ValueError(f"{beside} is no object with a question; mend it or remove it")
    question = told.get("question", "")
    return Example(
        path.stem,
        open_image(path),
        question if isinstance(question, str) else "",
        _texts(told.get("options")),
        () if question else _texts(told.get("target_object")),
    )


def _texts(values: object) -> tuple[str, ...]:
    if not isinstance(values, Sequence) or isinstance(values, str):
        return ()
    return tuple(value for value in values if isinstance(value, str))
