"""Synthetic samples: random tokens and pixels in the lengths and forms of the real mixtures."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from seal.batch import IGNORE_INDEX, VISUAL_TOKEN, Mask, Row, Sample, Target, Visual
from seal.data.mixture import Mixture
from seal.models.vqa import VQAModelConfig
from seal.models.vsm import VSMModelConfig
from seal.text.tokens import VisualSizes, choose_tokens
from seal.training.throughput.lengths import (
    MAX_POSITIONS,
    MAX_TEXT_TOKENS,
    SUFFIX,
    SUFFIX_ANSWER,
    SYSTEM_TOKENS,
    VQA_RECORDS,
    VSM_RECORDS,
    ChatKind,
    GroundingKind,
    Kind,
)

FIRST_TOKEN = 3  # ids below are padding and the ends of a text
TOKEN_POLICY = "paper_training"  # of conf/data/instruct.yaml
MASK_HEIGHT, MASK_WIDTH = 480, 640  # pixels of the images that masks were drawn on
MAX_BOXES = 3  # of an expression


@dataclass(frozen=True, slots=True)
class Shown:
    """What a sample has to fit: the sizes of the model that reads it."""

    vocab_size: int
    image_size: int  # pixels of the vision tower
    tokens: VisualSizes  # of a picture
    detector_size: int = 0  # pixels; 0: there is no detector

    @classmethod
    def by(cls, config: VQAModelConfig | VSMModelConfig) -> Shown:
        vision, llm = config.vision, config.llm
        if isinstance(config, VSMModelConfig):
            tokens = VisualSizes(long=vision.num_tokens)
            return cls(llm.vocab_size, vision.image_size, tokens, config.detector.image_size)
        tokens = config.visual_sizes
        return cls(llm.vocab_size, vision.image_size, tokens)


@dataclass(frozen=True, slots=True)
class Extent:
    """Positions a sample takes."""

    rows: tuple[int, ...]  # each conversation by itself
    packed: int  # as a document; a trunk that several conversations share counts once


def synthetic_mixture(kinds: Sequence[Kind], shown: Shown, seed: int) -> Mixture:
    """The stream a real run would read, without its records: shares, repeats and order hold.

    The search model's is drawn by weight, the VQA LLM's read in epochs, as their mixtures are.
    """
    total = sum(kind.share for kind in kinds)
    shares = [kind.share / total for kind in kinds]
    weighted = shown.detector_size > 0
    repeats = [kind.repeat if isinstance(kind, ChatKind) else 1 for kind in kinds]
    counts = [
        VSM_RECORDS if weighted else round(VQA_RECORDS * share / repeat)
        for share, repeat in zip(shares, repeats, strict=True)
    ]
    return Mixture(
        [
            SyntheticSource(kind, count, shown, seed)
            for kind, count in zip(kinds, counts, strict=True)
        ],
        repeats=None if weighted else repeats,
        shares=shares if weighted else None,
        seed=seed,
        names=[kind.name for kind in kinds],
    )


def extents_of(mixture: Mixture, indices: Iterable[int]) -> list[Extent]:
    """The extents of a synthetic mixture's samples; none of them is made."""
    found = []
    for index in indices:
        number, item = mixture.locate(index)
        source = mixture.sources[number]
        assert isinstance(source, SyntheticSource)
        found.append(source.extent(item))
    return found


class SyntheticSource:
    """Sample `index` depends on the seed, the kind and the index alone."""

    def __init__(self, kind: Kind, count: int, shown: Shown, seed: int) -> None:
        self.kind = kind
        self.count = count
        self.shown = shown
        self._seed = (seed, zlib.crc32(kind.name.encode()))

    def __len__(self) -> int:
        return self.count

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        """The item; what is drawn is its own, not `rng`'s, so that its length is known before."""
        own = self._rng(index)
        name = f"{self.kind.name}-{index}"
        if isinstance(self.kind, ChatKind):
            return self._chat(name, self.kind, own)
        return self._grounding(name, self.kind, own)

    def length(self, index: int, rng: np.random.Generator) -> int:
        """Positions, a trunk that several expressions share counted once."""
        return self.extent(index).packed

    def extent(self, index: int) -> Extent:
        """What the item takes, without making it."""
        own = self._rng(index)
        if isinstance(self.kind, ChatKind):
            text, visuals = self._chat_length(self.kind, own)
            count = text + self._positions(visuals)
            return Extent((count,), count)
        suffixes = self._suffixes(self.kind, own)
        rows = tuple(self._trunk + suffix for suffix in suffixes)
        return Extent(rows, self._trunk + sum(suffixes))

    @property
    def _trunk(self) -> int:
        return SYSTEM_TOKENS + self.shown.tokens.long

    def _rng(self, index: int) -> np.random.Generator:
        return np.random.default_rng((*self._seed, index))

    def _visual(self, image: int, long: bool) -> Visual:
        return Visual(image, long, length=self.shown.tokens.count(long))

    def _positions(self, visuals: Sequence[Visual]) -> int:
        return sum(self.shown.tokens.count(visual.long) for visual in visuals)

    def _chat_length(
        self, kind: ChatKind, rng: np.random.Generator
    ) -> tuple[int, tuple[Visual, ...]]:
        """Tokens of text, and what is shown."""
        crops = int(rng.choice(kind.crops))
        image_long, crops_long = choose_tokens(TOKEN_POLICY, crops)
        visuals = (
            self._visual(0, image_long), *(self._visual(1 + i, crops_long) for i in range(crops))
        )  # fmt: skip
        most = MAX_TEXT_TOKENS
        if self.shown.detector_size:
            most = MAX_POSITIONS - self._positions(visuals)
        return kind.text.draw(rng, least=SYSTEM_TOKENS + 8, most=most), visuals

    def _suffixes(self, kind: GroundingKind, rng: np.random.Generator) -> list[int]:
        most = MAX_POSITIONS - self._trunk
        return [
            SUFFIX.draw(rng, least=SUFFIX_ANSWER + 2, most=most)
            for _ in range(int(rng.choice(kind.expressions)))
        ]

    def _chat(self, name: str, kind: ChatKind, rng: np.random.Generator) -> Sample:
        count, visuals = self._chat_length(kind, rng)
        learnt = max(1, round(kind.answered * (count - SYSTEM_TOKENS)))
        asked = self._tokens(count - SYSTEM_TOKENS - learnt, rng)
        # The image stands in front of the question, each crop somewhere inside it.
        image, *crops = (
            np.full(self.shown.tokens.count(visual.long), VISUAL_TOKEN) for visual in visuals
        )
        parts = [self._tokens(SYSTEM_TOKENS, rng), image]
        for crop, words in zip([*crops, None], np.array_split(asked, len(visuals)), strict=True):
            parts += [words] if crop is None else [words, crop]
        row = _row([*parts, self._tokens(learnt, rng)], learnt, visuals)
        pictures = tuple(self._pixels(self.shown.image_size, rng) for _ in visuals)
        return Sample(name, (row,), pictures)

    def _grounding(self, name: str, kind: GroundingKind, rng: np.random.Generator) -> Sample:
        suffixes = self._suffixes(kind, rng)
        trunk = [
            self._tokens(SYSTEM_TOKENS, rng), np.full(self.shown.tokens.long, VISUAL_TOKEN),
        ]  # fmt: skip
        loc = np.array([self.shown.vocab_size - 1])  # the last one that was added
        rows = []
        for suffix in suffixes:
            question = self._tokens(suffix - SUFFIX_ANSWER, rng)
            before, behind = self._tokens(2, rng), self._tokens(SUFFIX_ANSWER - 3, rng)
            parts = [*trunk, question, before, loc, behind]
            row = _row(parts, SUFFIX_ANSWER, (self._visual(0, long=True),))
            at = len(row.input_ids) - SUFFIX_ANSWER + 2
            rows.append(Row(row.input_ids, row.labels, row.visuals, loc_position=at))
        return Sample(
            name,
            tuple(rows),
            (self._pixels(self.shown.image_size, rng),),
            self._pixels(self.shown.detector_size, rng),
            tuple(_target(kind, rng) for _ in rows),
        )

    def _tokens(self, count: int, rng: np.random.Generator) -> np.ndarray:
        # Not the last ones: they are a search model's added tokens.
        return rng.integers(FIRST_TOKEN, self.shown.vocab_size - 4, count)

    def _pixels(self, size: int, rng: np.random.Generator) -> Tensor:
        """(3, size, size), as a worker hands it on."""
        return torch.from_numpy(rng.integers(0, 256, (3, size, size), np.uint8))


def _row(parts: Sequence[np.ndarray], learnt: int, visuals: tuple[Visual, ...]) -> Row:
    ids = torch.from_numpy(np.concatenate(parts).astype(np.int64))
    labels = ids.clone()
    labels[:-learnt] = IGNORE_INDEX
    return Row(ids, labels, visuals)


def _target(kind: GroundingKind, rng: np.random.Generator) -> Target:
    """Boxes in the middle of the image, and what they cover as a mask."""
    count = 0 if rng.random() < kind.absent else int(rng.integers(1, MAX_BOXES + 1))
    centers = rng.uniform(0.3, 0.7, (count, 2))
    sizes = rng.uniform(0.05, 0.5, (count, 2))
    boxes = torch.from_numpy(np.concatenate([centers, sizes], axis=1)).float().reshape(-1, 4)
    if not kind.masks:
        return Target(boxes, None)
    mask = np.zeros((MASK_HEIGHT, MASK_WIDTH), np.uint8)
    for (x, y), (width, height) in zip(centers, sizes, strict=True):
        left, right = int((x - width / 2) * MASK_WIDTH), int((x + width / 2) * MASK_WIDTH)
        top, bottom = int((y - height / 2) * MASK_HEIGHT), int((y + height / 2) * MASK_HEIGHT)
        mask[top:bottom, left:right] = 1
    return Target(boxes, Mask.pack(mask))
