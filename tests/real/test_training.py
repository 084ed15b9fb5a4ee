"""Real pretrained parts become a VQA LLM through the ordinary programs: an hour on 2 cores."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.real, pytest.mark.timeout(2 * 3600)]

BASE, ALIGNED = "vqa_base_smollm2_135m", "vqa_align_linear_smollm2_135m"


def seal(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "seal", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("training")


@pytest.fixture(scope="module")
def where(folders) -> tuple[str, ...]:
    return (
        f"paths.runs={folders / 'runs'}",
        f"paths.records={folders / 'data'}",
        f"paths.models={folders / 'models'}",
    )


@pytest.fixture(scope="module")
def aligned(folders, where, smollm2, dinov2) -> Path:
    """The world's scenes, and the base model with its projector aligned."""
    sets = "only=[vqa_align,vqa_attributes,benchmark]"
    seal("data_builders/scenes", f"out={folders / 'data'}", sets, "workers=2")
    seal(
        "eval/convert", "model=vqa_smollm2_135m", f"llm={smollm2}", f"vision={dinov2}",
        f"out={folders / 'models' / BASE}",
    )  # fmt: skip
    seal("train/vqa", f"experiment={ALIGNED}", *where)
    return folders / "runs" / ALIGNED / "model"


def test_answers_with_crops_are_far_better_than_without(aligned, folders, where):
    how = "vqa_instruct_smollm2_135m_lora"  # in full it has not learnt it in as many minutes
    seal("train/vqa", f"experiment={how}", *where)
    out = folders / "answers" / how
    seal(
        "eval/benchmark", f"benchmark={folders / 'data' / 'benchmark'}",
        f"vqa={folders / 'runs' / how / 'model'}", "systems=[none,oracle]", f"out={out}",
    )  # fmt: skip
    systems = json.loads((out / "metrics.json").read_text())["systems"]
    without, with_crops = systems["none"]["attribute"], systems["oracle"]["attribute"]
    print(how, "without crops", without["accuracy"], "with crops", with_crops["accuracy"])
    assert with_crops["accuracy"]["low"] > without["accuracy"]["high"]
