"""COCO images to questions about where an absent object would be, for the search model."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from seal.building.captions import CaptionIndex, caption_index
from seal.building.coco import CocoIndex
from seal.building.coco_images import CocoImage, image_fault, read_coco_image, source_index
from seal.building.drafts import Draft, TextWriter
from seal.building.language import LanguageConfig, print_usage
from seal.building.location_phrases import (
    TASK,
    checked_location,
    location_prompt,
    location_template,
)
from seal.building.names import captions_name, related
from seal.building.neighbors import nearest_rows
from seal.building.writer import BuildConfig, Outcome, build_set
from seal.data.records import ASSISTANT, HUMAN, Message, Record, RecordSet
from seal.text.prompts import cue_prefix, cue_question
from seal.text.tokens import IMAGE_PLACEHOLDER

NUM_CAPTIONS = 5


@dataclass(kw_only=True, slots=True)
class PossibleLocationsBuildConfig(BuildConfig):
    """`annotations` is a COCO instances file; similar images are sought among those of `limit`."""

    captions: str  # COCO captions of the same images
    clip: str | None = None  # a CLIP of Hugging Face, folder or hub id, or a model folder of ours
    features: str | None = None  # .npy, a row for each image; instead of clip
    device: str = "cpu"  # of clip
    batch_size: int = 64  # images that clip sees at once
    neighbors: int = 5  # most similar images of an image
    per_image: int = 2  # objects asked for in one image
    source: str = "possible-locations"  # goes into ids and records
    license: str = "unknown"  # of images that name none
    language: LanguageConfig = field(default_factory=LanguageConfig)

    def __post_init__(self) -> None:
        # Not super(): a dataclass with slots is a new class, which its bare form does not know.
        BuildConfig.__post_init__(self)
        for name in ("batch_size", "neighbors", "per_image"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1")
        if (self.clip is None) == (self.features is None):
            raise ValueError("name clip= or features=, one of them: similar images are found by it")


class PossibleLocationsMaker:
    """Drafts the records of one image."""

    def __init__(
        self,
        config: PossibleLocationsBuildConfig,
        index: CocoIndex,
        captions: CaptionIndex,
        neighbors: np.ndarray,
    ) -> None:
        """`neighbors`: (N, K) rows of the index, -1 for none."""
        self.config = config
        self.index = index
        self.captions = captions
        self.neighbors = neighbors

    def __call__(self, row: int) -> Outcome:
        outcome = Outcome()
        image = self._image(row)
        if reason := image_fault(image, Path(self.config.images)):
            outcome.counts[reason] = 1
            return outcome
        captions = self.captions.read(image.id)[:NUM_CAPTIONS]
        if not captions:
            outcome.counts["image without captions"] = 1
            return outcome
        similar = [self._image(int(i)) for i in self.neighbors[row] if i >= 0]
        candidates = self._candidates(image, captions, similar)
        if not candidates:
            outcome.counts["image whose like shows nothing else"] = 1
            return outcome
        rng = np.random.default_rng((self.config.seed, row))
        number = min(self.config.per_image, len(candidates))
        drawn = rng.choice(len(candidates), number, replace=False)
        for place, i in enumerate(drawn.tolist()):
            outcome.drafts.append(self._draft(image, place, candidates[i], captions, similar))
        return outcome

    def _image(self, row: int) -> CocoImage:
        return read_coco_image(self.index, row, self.config.license)

    def _candidates(
        self, image: CocoImage, captions: Sequence[str], similar: Sequence[CocoImage]
    ) -> list[str]:
        """Classes that similar images show and this one does not, by its captions neither.

        Not every object is annotated: what a caption names is there.
        """
        names = self.index.names
        shown = [name for c in self.index.categories if c in image.sides for name in names[c]]
        return [
            category
            for category in self.index.categories
            if category not in image.sides
            and any(category in other.sides for other in similar)
            and not any(captions_name(captions, name) for name in names[category])
            and not any(related(name, other) for name in names[category] for other in shown)
        ]

    def _draft(
        self,
        image: CocoImage,
        place: int,
        category: str,
        captions: Sequence[str],
        similar: Sequence[CocoImage],
    ) -> Draft:
        names, sides = self.index.names, image.sides
        largest = sorted(
            (c for c in self.index.categories if c in sides), key=lambda c: -max(sides[c])
        )
        target = names[category][0]
        fields = {
            "id": f"{self.config.source}-{image.id}-{place}",
            "source": self.config.source,
            "license": image.license,
            "image": image.file_name,
            "width": image.width,
            "height": image.height,
            "meta": {
                "image_id": image.id,
                "target": target,
                "similar_images": [other.id for other in similar if category in other.sides],
            },
        }
        prompt = location_prompt(target, captions, [names[c][0] for c in largest])
        return Draft(prompt, {"target": target, "record": fields})


def finish_possible_location(draft: Draft, answer: str) -> Record:
    """The record with the contextual cue question and its answer."""
    target = draft.fields["target"]
    phrase = checked_location(answer, target)
    return Record(
        conversations=(
            Message(HUMAN, f"{IMAGE_PLACEHOLDER}\n{cue_question(target)}"),
            Message(ASSISTANT, f"{cue_prefix(target)} {phrase}."),
        ),
        **draft.fields["record"],
    )


def build_possible_locations(config: PossibleLocationsBuildConfig) -> RecordSet:
    """Build the set of `config`."""
    captions = caption_index(config.captions)
    index = source_index(config.annotations, config.images)
    number = len(index) if config.limit is None else min(len(index), config.limit)
    if number < 2:
        raise ValueError(f"{number} images: none has another that could be similar")
    neighbors = nearest_rows(_features(config, index, number), config.neighbors)
    model = config.language.build({TASK: location_template})
    path = Path(config.annotations)
    own = ("limit", "source", "license", "neighbors", "per_image")
    records = build_set(
        config,
        PossibleLocationsMaker(config, index, captions, neighbors),
        number,
        builder="possible_locations",
        settings={
            "annotations": path.name,
            "bytes": path.stat().st_size,
            "captions": Path(config.captions).name,
            "similar images": hashlib.sha256(neighbors.astype("<i8").tobytes()).hexdigest(),
            **{name: getattr(config, name) for name in own},
            "language": model.settings(),
        },
        counts=dict(index.counts),
        write=TextWriter(model, finish_possible_location),
    )
    print_usage(model)
    return records


def _features(config: PossibleLocationsBuildConfig, index: CocoIndex, number: int) -> np.ndarray:
    """(number, D) float32 of length 1."""
    # Imported here: transformers takes seconds, and workers need none of it.
    from seal.building.clip_features import ClipEmbedder, clip_features, read_features

    if config.features is not None:
        return read_features(Path(config.features), number)
    assert config.clip is not None
    names = _file_names(index, number)
    embed = ClipEmbedder(config.clip, config.device)
    return clip_features(
        embed, Path(config.images), names, batch_size=config.batch_size, workers=config.workers
    )


def _file_names(index: CocoIndex, number: int) -> list[str]:
    return [read_coco_image(index, row, "").file_name for row in range(number)]
