"""COCO images to questions about where an absent object would be, for the search model."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from seal.building.coco.captions import CaptionIndex, caption_index
from seal.building.coco.images import (
    CocoImage,
    draft_fields,
    image_files,
    image_names,
    look_up,
    read_coco_image,
)
from seal.building.coco.index import CocoIndex
from seal.building.coco.same_photo import open_photos
from seal.building.formats.entry_errors import ErrorsAt
from seal.building.formats.image_lookup import ImageFile, ImageFiles, Unusable, plain_name
from seal.building.language import LanguageConfig
from seal.building.language.class_names import captions_name, related
from seal.building.language.unwritten_records import Draft
from seal.building.records.source_files import require_sources, source_settings
from seal.building.records.writer import BuildConfig, Outcome
from seal.building.records.written_set import build_written_set
from seal.building.search_mixture.location_sentences import (
    TASK,
    checked_location,
    location_prompt,
    location_template,
)
from seal.building.search_mixture.nearest_rows import nearest_rows
from seal.data.record_set import ASSISTANT, HUMAN, Message, Record, RecordSet
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
        self.files = image_files(config.images, index)

    def __call__(self, row: int) -> Outcome:
        counts: Counter[str] = Counter()
        outcome = Outcome(counts=counts)
        image = read_coco_image(self.index, row, self.config.license, counts)
        file = look_up(self.index, row, self.files)
        if isinstance(file, str):
            counts[file] += 1
            return outcome
        captions = self.captions.read(*image.ids)[:NUM_CAPTIONS]
        if not captions:
            where = f"id {image.id} in {self.config.captions}"
            counts[Unusable("image without captions", where)] = 1
            return outcome
        unlisted: Counter[str] = Counter()  # counted where the image is the one asked about
        similar = [
            read_coco_image(self.index, int(i), self.config.license, unlisted)
            for i in self.neighbors[row]
            if i >= 0
        ]
        candidates = self._candidates(image, captions, similar)
        if not candidates:
            counts["image whose like shows nothing else"] = 1
            return outcome
        rng = np.random.default_rng((self.config.seed, row))
        number = min(self.config.per_image, len(candidates))
        drawn = rng.choice(len(candidates), number, replace=False)
        for place, i in enumerate(drawn.tolist()):
            outcome.drafts.append(self._draft(image, file, place, candidates[i], captions, similar))
        return outcome

    def _candidates(
        self, image: CocoImage, captions: Sequence[str], similar: Sequence[CocoImage]
    ) -> list[str]:
        """Classes that similar images show and this one does not, by its captions neither.

        Not every object is annotated: what a caption names is there.
        """
        names = self.index.categories
        shown = [name for category, name in names.items() if category in image.sides]
        return [
            category
            for category, name in names.items()
            if category not in image.sides
            and any(category in other.sides for other in similar)
            and not captions_name(captions, name)
            and not any(related(name, other) for other in shown)
        ]

    def _draft(
        self,
        image: CocoImage,
        file: ImageFile,
        place: int,
        category: str,
        captions: Sequence[str],
        similar: Sequence[CocoImage],
    ) -> Draft:
        names, sides = self.index.categories, image.sides
        largest = sorted(
            (c for c in self.index.categories if c in sides), key=lambda c: -max(sides[c])
        )
        target = names[category]
        meta = {
            "image_id": image.id,
            "target": target,
            "similar_images": [other.id for other in similar if category in other.sides],
        }
        fields = draft_fields(self.config.source, image, file, f"-{place}", meta)
        prompt = location_prompt(target, captions, [names[c] for c in largest])
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
    require_sources(config.images, annotations=config.annotations)
    index = open_photos(config)
    number = len(index) if config.limit is None else min(len(index), config.limit)
    if number < 2:
        raise ValueError(f"{number} images: none has another that could be similar")
    neighbors = nearest_rows(_features(config, index, number), config.neighbors)
    model = config.language.build({TASK: location_template})
    own = ("source", "license", "neighbors", "per_image")
    settings = source_settings(config, *own, files=("annotations", "captions"))
    settings["similar images"] = hashlib.sha256(neighbors.astype("<i8").tobytes()).hexdigest()
    return build_written_set(
        config,
        PossibleLocationsMaker(config, index, captions, neighbors),
        number,
        builder="possible_locations",
        settings=settings,
        counts=dict(index.counts),
        model=model,
        finish=finish_possible_location,
    )


def _features(config: PossibleLocationsBuildConfig, index: CocoIndex, number: int) -> np.ndarray:
    """(number, D) float32 of length 1."""
    # Imported here: transformers takes seconds, and workers need none of it.
    from seal.building.search_mixture.clip_features import (
        ClipEmbedder,
        clip_features,
        read_features,
    )

    if config.features is not None:
        return read_features(Path(config.features), number)
    assert config.clip is not None
    names = _file_names(index, image_files(config.images, index), number)
    embed = ClipEmbedder(config.clip, config.device)
    return clip_features(
        embed, Path(config.images), names, batch_size=config.batch_size, workers=config.workers
    )


def _file_names(index: CocoIndex, files: ImageFiles, number: int) -> list[str]:
    found = []
    for row in range(number):
        with ErrorsAt(index.where(row)):
            names = image_names(index.entry(row))
            found.append(files.find(names) or plain_name(names[0]))
    return found
