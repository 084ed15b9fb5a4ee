"""Towers and detectors of every family train through the programs, and serve what they learned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from programs_here import run_program
from tiny_models import noise

from seal.geometry import Box
from seal.inference.load import load_models
from seal.search.protocol import Patch, Query
from seal.training.log import read_metrics
from seal.working_memory import MemoryTarget, VisualWorkingMemory

TOWERS: dict[str, dict[str, Any]] = {
    "dinov2": {"family": "dinov2", "pretrained_size": 84},
    "dinov2 with registers": {"family": "dinov2", "pretrained_size": 84, "num_registers": 2},
    "siglip": {"family": "siglip", "image_size": 60},  # 4 patches of 14, and 4 pixels over
    "clip of another size": {"image_size": 84, "pretrained_size": 56, "feature_layer": -1},
}
PROCESSORS = {"dinov2": "Bit", "siglip": "Siglip", "clip": "CLIP"}
OPTIONS = ["red", "The boat is blue and on the water."]


def train(name: str, runs: Path, tower: str, *more: str) -> Path:
    sizes = [f"model.vision.{key}={value}" for key, value in TOWERS[tower].items()]
    options = [f"experiment={name}", f"paths.runs={runs}", "deepspeed=zero2", *sizes, *more]
    assert run_program(f"train/{name[:3]}", *options) == 0
    return runs / name


def losses(run: Path) -> list[float]:
    return [line["loss"] for line in read_metrics(run / "metrics.jsonl") if "loss" in line]


def check_learned(run: Path, tower: str) -> None:
    seen = losses(run)
    assert len(seen) == 20 and seen[-1] < seen[0]
    family = TOWERS[tower].get("family", "clip")
    said = json.loads((run / "model" / "preprocessor_config.json").read_text())
    assert said["image_processor_type"] == f"{PROCESSORS[family]}ImageProcessor"


def check_answers(run: Path, tower: str) -> None:
    answers, _ = load_models(run / "model", None)
    assert answers is not None
    vision = answers.model.config.vision
    assert {key: getattr(vision, key) for key in TOWERS[tower]} == TOWERS[tower]
    shown = (MemoryTarget("boat", (Box(10, 20, 50, 60),)),)
    memories = [
        VisualWorkingMemory("Is the boat red?", noise()),
        VisualWorkingMemory("What is it?", noise(60, 90, seed=1), shown),
        VisualWorkingMemory("Is it red?"),
    ]
    together = answers.loglikelihood([(memory, OPTIONS) for memory in memories])
    for memory, found in zip(memories, together, strict=True):
        assert found == pytest.approx(answers.loglikelihood([(memory, OPTIONS)])[0], abs=1e-5)
    seen, unseen = (
        answers.loglikelihood([(VisualWorkingMemory("Is it?", image), OPTIONS)])[0]
        for image in (noise(), noise(seed=5))
    )
    assert seen != unseen  # the picture counts


def check_searches(run: Path, tower: str, detector: str) -> None:
    _, search = load_models(None, run / "model")
    assert search is not None and search.model.config.detector.family == detector
    vision = search.model.config.vision
    assert {key: getattr(vision, key) for key in TOWERS[tower]} == TOWERS[tower]
    queries = [
        Query("detect", Patch(image, Box(0, 0, *image.size)), text)
        for image, text in (
            (noise(), "boat"),
            (noise(60, 130, seed=1), "mug"),
            (noise(64, 64), "a"),
        )
    ]
    together = search.detect(queries)
    for query, found in zip(queries, together, strict=True):
        (alone,) = search.detect([query])
        torch.testing.assert_close(
            torch.from_numpy(found.boxes), torch.from_numpy(alone.boxes), atol=1e-3, rtol=1e-5
        )
        torch.testing.assert_close(
            torch.from_numpy(found.scores), torch.from_numpy(alone.scores), atol=1e-5, rtol=1e-5
        )
        assert found.heat is not None
        width, height = query.patch.image.size
        assert found.heat.to_numpy().shape == (height, width)


def test_dinov2_trains_serves_and_answers_in_a_batch_what_it_answers_alone(tmp_path):
    run = train("vqa_lora_smoke", tmp_path, "dinov2")
    check_learned(run, "dinov2")
    check_answers(run, "dinov2")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vqa_instruct_smoke", "vqa_lora_smoke"])
@pytest.mark.parametrize("tower", TOWERS)
def test_every_tower_trains_the_vqa_llm_stops_and_goes_on_bit_for_bit(tower, name, tmp_path):
    run = train(name, tmp_path / "whole", tower)
    check_learned(run, tower)
    check_answers(run, tower)
    train(name, tmp_path / "parts", tower, "train.stop_after=10", "train.save_every=10")
    assert losses(train(name, tmp_path / "parts", tower, "train.save_every=10")) == losses(run)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tower", "detector"),
    [
        ("dinov2", "owlv2"),
        ("dinov2 with registers", "owlvit"),
        ("siglip", "owlv2"),
        ("clip of another size", "owlvit"),
    ],
)
@pytest.mark.parametrize("adapters", [True, False])
def test_every_tower_and_detector_trains_the_search_model(tower, detector, adapters, tmp_path):
    more = [f"model.detector.family={detector}", *([] if adapters else ["lora=null"])]
    run = train("vsm_smoke", tmp_path / "whole", tower, *more)
    check_learned(run, tower)
    check_searches(run, tower, detector)
    half = [*more, "train.save_every=10"]
    train("vsm_smoke", tmp_path / "parts", tower, *half, "train.stop_after=10")
    again = train("vsm_smoke", tmp_path / "parts", tower, *half)
    assert losses(again) == losses(run)
