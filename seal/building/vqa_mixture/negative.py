"""COCO images to questions that cannot be answered: the objects are absent or too small to see."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seal.building.coco.captions import CaptionIndex, caption_index
from seal.building.coco.images import CocoImage, draft_fields, image_files, look_up, read_coco_image
from seal.building.coco.index import CocoIndex
from seal.building.coco.same_photo import open_photos
from seal.building.formats.image_lookup import ImageFile
from seal.building.language import LanguageConfig
from seal.building.language.class_names import captions_name, related
from seal.building.language.unwritten_records import Draft
from seal.building.records.source_files import require_sources, source_settings
from seal.building.records.writer import BuildConfig, Outcome
from seal.building.records.written_set import build_written_set
from seal.building.vqa_mixture.negative_questions import (
    TASK,
    checked_question,
    negative_prompt,
    negative_template,
)
from seal.data.record_set import ASSISTANT, HUMAN, Message, Record, RecordSet
from seal.text.prompts import refusal
from seal.text.tokens import IMAGE_PLACEHOLDER


@dataclass(kw_only=True, slots=True)
class NegativeBuildConfig(BuildConfig):
    """`annotations` is a COCO instances file, or anything in its form."""

    captions: str | None = None  # COCO captions: what they name is not taken for absent
    source: str = "negative"  # goes into ids and records
    license: str = "unknown"  # of images that name none
    per_image: int = 1  # records of one image
    max_side: float = 20.0  # pixels; an object whose box is shorter on both sides is not seen
    absent_share: float = 0.7  # of needed objects, absent ones; the rest are there, but too small
    two_share: float = 0.3  # of records that need two objects
    language: LanguageConfig = field(default_factory=LanguageConfig)

    def __post_init__(self) -> None:
        # Not super(): a dataclass with slots is a new class, which its bare form does not know.
        BuildConfig.__post_init__(self)
        if self.per_image < 1 or self.max_side <= 0:
            raise ValueError(
                f"per_image={self.per_image} must be >= 1, max_side={self.max_side:g} positive"
            )
        for name in ("absent_share", "two_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}={getattr(self, name)} must be from 0 to 1")


class NegativeMaker:
    """Drafts the records of one image."""

    def __init__(
        self,
        config: NegativeBuildConfig,
        index: CocoIndex,
        captions: CaptionIndex | None = None,
    ) -> None:
        self.config = config
        self.index = index
        self.captions = captions
        self.files = image_files(config.images, index)

    def __call__(self, row: int) -> Outcome:
        counts: Counter[str] = Counter()
        outcome = Outcome(counts=counts)
        image = read_coco_image(self.index, row, self.config.license, counts)
        file = look_up(self.index, row, self.files)
        if isinstance(file, str):
            counts[file] += 1
            return outcome
        absent, small, shown = self.classes(image)
        rng = np.random.default_rng((self.config.seed, row))
        drawn: list[frozenset[str]] = []
        for _ in range(self.config.per_image):
            needed = self._needed(absent, small, drawn, rng)
            if needed is None:
                counts["image without another set of objects to ask for"] += 1
                break
            drawn.append(frozenset(needed))
            shown_names = [self.index.categories[category] for category in shown]
            called = [self.index.categories[category] for category in needed]
            prompt = negative_prompt(called, shown_names, rng)
            fields = self._fields(image, file, len(drawn) - 1, needed, absent)
            hidden = [self.index.categories[c] for c in (*absent, *small) if c not in needed]
            about = {"needed": prompt.facts["needed"], "hidden": hidden, "record": fields}
            outcome.drafts.append(Draft(prompt, about))
        return outcome

    def classes(self, image: CocoImage) -> tuple[list[str], list[str], list[str]]:
        """The classes that are absent, those with small boxes alone, and those that may be seen.

        A class with any other box, a crowd's included, is never asked for; nor is one whose name
        is part of the name of a class that is there, or has it as a part, nor one that a caption
        names. One without a box that says anything is in no list. Class ids, in the order of the
        category list.
        """
        absent, small, shown = [], [], []
        for category in self.index.categories:
            sides = image.sides.get(category)
            if sides is None:
                # Of a class without any annotation nobody looked whether it is there.
                if category in self.index.supervision.annotated:
                    absent.append(category)
            elif max(sides) >= self.config.max_side:
                shown.append(category)
            elif min(sides) > 0:
                small.append(category)
        names = self.index.categories
        seen = [names[category] for category in shown]
        said = self.captions.read(*image.ids) if self.captions is not None else []

        def hidden(category: str) -> bool:
            name = names[category]
            return not captions_name(said, name) and not any(related(name, o) for o in seen)

        return [c for c in absent if hidden(c)], [c for c in small if hidden(c)], shown

    def _needed(
        self,
        absent: list[str],
        small: list[str],
        drawn: list[frozenset[str]],
        rng: np.random.Generator,
    ) -> list[str] | None:
        """One or two classes that were not drawn together before; None: 20 draws found none."""
        for _ in range(20):
            number = 2 if rng.random() < self.config.two_share else 1
            chosen: list[str] = []
            for _ in range(number):
                left = [[c for c in group if c not in chosen] for group in (absent, small)]
                first = 0 if rng.random() < self.config.absent_share else 1
                group = left[first] or left[1 - first]
                if group:
                    chosen.append(group[int(rng.integers(len(group)))])
            if len(chosen) == number and frozenset(chosen) not in drawn:
                return chosen
        return None

    def _fields(
        self, image: CocoImage, file: ImageFile, number: int, needed: list[str], absent: list[str]
    ) -> dict[str, Any]:
        names = self.index.categories
        suffix = f"-{number}" if self.config.per_image > 1 else ""
        meta = {
            "image_id": image.id,
            "absent": [names[c] for c in needed if c in absent],
            # Longer side of the largest box, pixels.
            "small": {names[c]: max(image.sides[c]) for c in needed if c not in absent},
        }
        return draft_fields(self.config.source, image, file, suffix, meta)


def finish_negative(draft: Draft, answer: str) -> Record:
    """The record with its question, and the refusal that names all the question needs."""
    fields = draft.fields
    question, needed = checked_question(answer, fields["needed"], fields["hidden"])
    return Record(
        conversations=(
            Message(HUMAN, f"{IMAGE_PLACEHOLDER}\n{question}"),
            Message(ASSISTANT, refusal(needed)),
        ),
        **fields["record"],
    )


def build_negative(config: NegativeBuildConfig) -> RecordSet:
    """Build the set of `config`."""
    require_sources(config.images, annotations=config.annotations)
    index = open_photos(config)
    captions = None if config.captions is None else caption_index(config.captions)
    model = config.language.build({TASK: negative_template})
    own = ("source", "license", "per_image", "max_side", "absent_share", "two_share")
    settings = source_settings(config, *own, files=("annotations", "captions"))
    return build_written_set(
        config,
        NegativeMaker(config, index, captions),
        len(index),
        builder="negative",
        settings=settings,
        counts=dict(index.counts),
        model=model,
        finish=finish_negative,
    )
