"""Both models behind their protocols, from an image file on: what the original's wrappers gave."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from golden_files import golden_arrays, golden_cases, golden_json, golden_path
from golden_models import build_golden_vsm, golden_vqa, golden_vsm
from scripted_search import patch_boxes

from seal.geometry import Box
from seal.images import open_image
from seal.inference.prompt import memory_question
from seal.inference.vqa import NetworkAnswerModel
from seal.inference.vsm import NetworkSearchModel
from seal.memory import MemoryTarget, VisualWorkingMemory
from seal.search.protocol import Patch, Query
from seal.text.tokenize import load_tokenizer

pytestmark = pytest.mark.goldens("vqa_options")


@pytest.fixture(scope="module")
def answers():
    tokenizer = load_tokenizer(golden_path("tokenizer"))
    return NetworkAnswerModel(golden_vqa(), tokenizer, token_policy="paper_inference", max_batch=3)


def memory_of(case) -> VisualWorkingMemory:
    """What the stored prompt was made of."""
    boxes = [Box.from_xywh(*box) for box in case["bboxes_xywh"]]
    targets = tuple(
        MemoryTarget(name, (box,)) for name, box in zip(case["object_names"], boxes, strict=True)
    )
    question = case["question"].split("\n")[-1]
    return VisualWorkingMemory(question, open_image(golden_path(case["png"])), targets)


@pytest.mark.parametrize("case", golden_cases("vqa_options", "cases"), ids=lambda c: c["id"])
def test_the_memory_becomes_the_prompt_and_the_options_get_their_losses(case, answers):
    memory = memory_of(case)
    assert memory_question(memory) == f"<image>\n{case['question']}"
    (losses,) = answers.loglikelihood([(memory, case["options"])])
    assert losses == pytest.approx(case["losses"], abs=1e-4)
    assert losses.index(min(losses)) == case["chosen"]


def test_options_of_all_cases_in_one_batch_get_the_same_losses(answers):
    cases = golden_cases("vqa_options", "cases")
    together = answers.loglikelihood([(memory_of(case), case["options"]) for case in cases])
    for case, losses in zip(cases, together, strict=True):
        assert losses == pytest.approx(case["losses"], abs=1e-4)


def test_greedy_answers_in_one_batch_are_the_stored_ones(answers):
    cases = golden_cases("vqa_options", "cases")
    longest = max(case["free_form"]["max_new_tokens"] for case in cases)
    said = answers.generate([memory_of(case) for case in cases], max_new_tokens=longest)
    tokenizer, eos = answers.tokenizer, answers.tokenizer.eos_id
    for case, generation in zip(cases, said, strict=True):
        ids = [i for i in case["free_form"]["generated_ids"] if i != eos]
        assert generation.text.startswith(tokenizer.decode(ids).strip())


def test_detection_from_an_image_file_equals_the_wrapper_of_the_original():
    stored, arrays = golden_json("vsm_cases")["wrapper"], golden_arrays("vsm_cases")
    model = NetworkSearchModel(golden_vsm(), load_tokenizer(golden_path("tokenizer_vsm")))
    image = open_image(golden_path(stored["png"]))
    assert list(image.size) == stored["size_wh"]
    target = re.fullmatch(r"Please locate the (.*) in this image\.", stored["one"]["question"])
    patch = Patch(image, Box(0, 0, *image.size))
    (found,) = model.detect([Query("detect", patch, target.group(1))])
    (heat,) = model.cue_heatmap([Query("cue_heatmap", patch, target.group(1))])
    np.testing.assert_allclose(found.scores, arrays["wrapper.one.scores"][:, 0], atol=1e-5)
    assert found.scores.argmax() == stored["one"]["top"]
    boxes = patch_boxes(arrays["wrapper.one.boxes"], *image.size)
    np.testing.assert_allclose(found.boxes, boxes, atol=2e-3)  # pixels
    for got in (found.heat, heat):
        np.testing.assert_allclose(
            got.to_numpy(), arrays["wrapper.one.heatmap"].clip(min=0), rtol=1e-4, atol=1e-3
        )


def test_half_precision_sees_about_the_same():
    """bfloat16 keeps 8 bits: scores and peaks move by a few thousandths, the best box stays."""
    stored = golden_json("vsm_cases")["wrapper"]
    image = open_image(golden_path(stored["png"]))
    patch = Patch(image, Box(0, 0, *image.size))
    tokenizer = load_tokenizer(golden_path("tokenizer_vsm"))
    exact = NetworkSearchModel(golden_vsm(), tokenizer).detect([Query("detect", patch, "cup")])[0]
    model = build_golden_vsm().to(torch.bfloat16)
    rough = NetworkSearchModel(model, tokenizer).detect([Query("detect", patch, "cup")])[0]
    np.testing.assert_allclose(rough.scores, exact.scores, atol=0.05)
    assert rough.heat.peak() == pytest.approx(exact.heat.peak(), rel=0.1, abs=0.2)
