"""Both full mixtures, a few records in each of their sources, through the training programs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from programs_here import ROOT, run_program
from record_sets import HEIGHT, WIDTH, chat_record, messages, search_record, text_record, write_set

from seal.data import grounding
from seal.data.masks import mask_to_rle, rle_to_mask
from seal.data.record_set import Expression, Record
from seal.geometry import Box
from seal.schema import compose
from seal.text.prompts import refusal
from seal.text.tokenize import load_tokenizer
from seal.training.log import read_metrics
from seal.training.recipe import VQARun, VSMRun
from seal.training.smoke import write_smoke_data

# As data.md gives them: group 15 : 4 : 4 : 15, then the weights inside.
SHARES = {
    "objects365": 15 / 38 * 2 / 4,
    "coco_stuff": 15 / 38 / 4,
    "paco_lvis": 15 / 38 / 4,
    "refclef": 4 / 38 / 4,
    "refcoco": 4 / 38 / 4,
    "refcocoplus": 4 / 38 / 4,
    "refcocog": 4 / 38 / 4,
    "goldg_mixed": 4 / 38 / 2,
    "goldg_flickr": 4 / 38 / 2,
    "possible_locations": 15 / 38 * 2 / 3,
    "llava": 15 / 38 / 3,
}
UNMASKED = ("objects365", "goldg_mixed", "goldg_flickr")
VQA_SIZES = {"negative": 5, "gqa": 4, "vaw": 3, "spatial": 4, "llava": 5, "focus": 2}


def grounding_records(name: str) -> list[Record]:
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    mask[5:20, 5:30] = 1
    rle = None if name in UNMASKED else mask_to_rle(mask)
    present = Expression("cup", (Box(5, 5, 30, 20),), rle)
    empty = None if rle is None else mask_to_rle(np.zeros_like(mask))
    return [
        search_record(f"{name}-{number}", present, *[Expression("dog", (), empty)] * (number % 5))
        for number in range(6)
    ]


def vqa_records(name: str, count: int) -> list[Record]:
    crops = {"gqa": 1, "vaw": 1, "spatial": 2, "focus": 3}.get(name, 0)
    records = [chat_record(f"{name}-{number}", crops) for number in range(count)]
    if name == "negative":
        said = messages([("<image>\nWhat is on the mug?", refusal(["mug"]))])
        records = [chat_record(f"negative-{n}", conversations=said) for n in range(count)]
    if name == "llava":
        records[-1] = text_record("llava-text")
    return records


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Record sets for every source of both mixtures."""
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("records")
    for name, count in VQA_SIZES.items():
        write_set(root / name / "train", vqa_records(name, count))
    places = [chat_record(f"place-{number}") for number in range(4)]
    write_set(root / "possible_locations" / "train", places)
    for name in SHARES:
        if name not in ("possible_locations", "llava"):
            write_set(root / name / "train", grounding_records(name))
    write_set(root / "refcoco" / "val", grounding_records("refcoco-val"))
    return root


def options(kind: str, root: Path, runs: Path) -> list[str]:
    experiment, data = {"vqa": ("vqa_instruct", "instruct"), "vsm": ("vsm", "vsm")}[kind]
    return [
        f"experiment={experiment}_smoke",
        f"data={data}",
        f"paths.runs={runs}",
        f"paths.records={root}",
        *(["data.train.held_out=1"] if kind == "vqa" else []),
        "train.num_steps=4",
        "train.validation_samples=4",
        "train.save_every=2",
    ]


def losses(folder: Path) -> list[float]:
    return [line["loss"] for line in read_metrics(folder / "metrics.jsonl") if "loss" in line]


@pytest.mark.parametrize("kind", ["vqa", "vsm"])
def test_a_full_mixture_trains_and_a_stopped_run_goes_on_with_the_same_losses(
    root: Path, tmp_path: Path, kind: str
) -> None:
    name = {"vqa": "vqa_instruct_smoke", "vsm": "vsm_smoke"}[kind]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert run_program(f"train/{kind}", *options(kind, root, whole)) == 0
    assert run_program(f"train/{kind}", *options(kind, root, parts), "train.stop_after=2") == 0
    assert run_program(f"train/{kind}", *options(kind, root, parts)) == 0
    assert len(losses(whole / name)) == 4 and np.isfinite(losses(whole / name)).all()
    assert losses(parts / name) == losses(whole / name)


def run_of(kind: str, root: Path, tmp_path: Path) -> VQARun | VSMRun:
    schema = VQARun if kind == "vqa" else VSMRun
    run = compose(ROOT / "conf", f"train_{kind}", schema, options(kind, root, tmp_path))
    write_smoke_data(run.folder / "smoke")
    return run


def test_sources_of_the_search_model_are_drawn_by_their_weights(root: Path, tmp_path: Path) -> None:
    run = run_of("vsm", root, tmp_path)
    assert run.data.train.sampling == "weighted" and set(run.data.train.sources) == set(SHARES)
    mixture = run.build_data(load_tokenizer(run.tokenizer_folder)).train
    names, number = list(run.data.train.sources), 20_000
    drawn = Counter(names[mixture.locate(index)[0]] for index in range(number))
    for name, share in SHARES.items():
        deviation = (share * (1 - share) / number) ** 0.5
        assert abs(drawn[name] / number - share) < 4 * deviation, name


def test_an_epoch_of_the_instruction_mixture_reads_spatial_twice(
    root: Path, tmp_path: Path
) -> None:
    run = run_of("vqa", root, tmp_path)
    mixture = run.build_data(load_tokenizer(run.tokenizer_folder)).train
    held_out = len(VQA_SIZES)  # one of each
    assert len(mixture) == sum(VQA_SIZES.values()) + VQA_SIZES["spatial"] - held_out - 1
    read = Counter(mixture[index].id for index in range(len(mixture)))
    assert all(count == 1 + id_.startswith("spatial") for id_, count in read.items())
    assert len(read) == sum(VQA_SIZES.values()) - held_out


def test_a_mask_is_decoded_only_where_its_expression_is_drawn(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of("vsm", root, tmp_path)
    mixture = run.build_data(load_tokenizer(run.tokenizer_folder)).train
    decoded: list[object] = []

    def count(rle: dict[str, object]) -> np.ndarray:
        decoded.append(rle)
        return rle_to_mask(rle)

    monkeypatch.setattr(grounding, "rle_to_mask", count)
    samples = [mixture[index] for index in range(60)]
    used = sum(target.mask is not None for sample in samples for target in sample.targets)
    assert len(decoded) == used > 20
    assert max(len(sample.targets) for sample in samples) == 3  # of up to five expressions
