"""Samples of built sets as training would see them, on one page."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from seal.batch import Sample
from seal.building.records.check import find_sets
from seal.data.chat import ChatConfig
from seal.data.grounding import GroundingConfig
from seal.data.record_set import Record, RecordSet
from seal.data.sample_page import add_samples
from seal.models.files.load import read_config
from seal.models.vqa import VQAModelConfig
from seal.pages.page import Page
from seal.text.tokenize import Tokenizer, load_tokenizer
from seal.text.tokens import VisualSizes
from seal.version import PACKAGE

KINDS = ("auto", "vqa", "vsm")


@dataclass(kw_only=True, slots=True)
class PreviewConfig:
    """What data_builders/preview is told."""

    records: Any  # a set, a folder of sets, or a list of them
    out: str  # the page
    count: int = 16  # samples of each set
    seed: int = 0  # of which ones, and of what is drawn inside them
    # A model folder: its tokenizer and sizes are used; None: those of the shipped miniature.
    model_folder: str | None = None
    kind: str = "auto"  # auto | vqa | vsm: whose samples; auto: the model's, else by the records
    chat: ChatConfig = field(default_factory=ChatConfig)  # as data.chat of a training run
    grounding: GroundingConfig = field(default_factory=GroundingConfig)  # as data.grounding

    def __post_init__(self) -> None:
        if self.count < 1 or self.seed < 0:
            raise ValueError(f"count={self.count} must be at least 1, seed={self.seed} at least 0")
        if self.kind not in KINDS:
            raise ValueError(f"kind={self.kind!r} is none of {', '.join(KINDS)}")
        if Path(self.out).is_dir():
            raise ValueError(f"out={self.out} is a folder; give the name of a page")

    def folders(self) -> list[Path]:
        """The folders that were named."""
        named = self.records if isinstance(self.records, list) else [self.records]
        return [Path(str(name)) for name in named]


def write_preview(config: PreviewConfig) -> int:
    """Write the page of `config` and return how many samples it shows."""
    page = Page("Samples of built sets, as training reads them")
    shown = 0
    for folder in find_sets(config.folders()):
        records = RecordSet.open(folder)
        rng = np.random.default_rng((config.seed, 0))
        drawn = sorted(rng.permutation(len(records))[: config.count].tolist())
        samples, tokenizer = _samples(config, records, drawn)
        page.heading("/".join(folder.parts[-2:]))
        page.text(f"{len(records):,} records of {folder}; tokenizer of {tokenizer.folder}")
        add_samples(page, samples, tokenizer)
        shown += len(samples)
    page.write(Path(config.out))
    return shown


def _samples(
    config: PreviewConfig, records: RecordSet, drawn: list[int]
) -> tuple[list[Sample], Tokenizer]:
    folder = _model_folder(config, [records[index] for index in drawn])
    sizes = read_config(folder)
    tokenizer = load_tokenizer(folder)
    if isinstance(sizes, VQAModelConfig):
        if config.kind == "vsm":
            raise ValueError(
                f"model_folder={folder} is a VQA LLM, kind=vsm asks for a search model"
            )
        chat = config.chat.build(
            records,
            tokenizer,
            image_size=sizes.vision.image_size,
            sizes=sizes.visual_sizes,
            background=sizes.vision.normalization.background,
            prompt_style=sizes.prompt_style,
            tiles=sizes.tiles,
        )
        return [chat[index] for index in drawn], tokenizer
    if config.kind == "vqa":
        raise ValueError(f"model_folder={folder} is a search model, kind=vqa asks for a VQA LLM")
    grounding = config.grounding.build(
        records,
        tokenizer,
        image_size=sizes.vision.image_size,
        detector_size=sizes.detector.image_size,
        detector_fit=sizes.detector.fit,
        sizes=VisualSizes(long=sizes.vision.num_tokens),
        background=sizes.vision.normalization.background,
        prompt_style=sizes.prompt_style,
    )
    # A record's draw does not depend on which others are shown.
    rngs = [np.random.default_rng((config.seed, 1, index)) for index in drawn]
    samples = [grounding.sample(i, rng) for i, rng in zip(drawn, rngs, strict=True)]
    return samples, tokenizer


def _model_folder(config: PreviewConfig, records: list[Record]) -> Path:
    if config.model_folder is not None:
        return Path(config.model_folder)
    kind = config.kind
    if kind == "auto":
        kind = "vsm" if any(record.expressions for record in records) else "vqa"
    return PACKAGE / "miniature" / "assets" / f"{kind}_base"
