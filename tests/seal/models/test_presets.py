"""The presets have the sizes they are named for and build without allocating anything."""

from __future__ import annotations

import time

import pytest
import torch

from seal.models.files.load import parameter_table
from seal.models.presets import (
    VQA_PRESETS,
    VSM_PRESETS,
    preset_name,
    vqa_preset,
    vsm_preset,
)
from seal.models.vqa import VQAModelConfig


def counts(config) -> dict[str, int]:
    with torch.device("meta"):
        model = config.build()
    assert all(parameter.is_meta for parameter in model.parameters())
    return {part: count for part, count, _ in parameter_table(model)}


@pytest.mark.parametrize(("size", "billions"), [("7b", 6.74), ("13b", 13.02)])
@pytest.mark.parametrize("preset", [vqa_preset, vsm_preset])
def test_the_language_model_has_as_many_parameters_as_its_name_says(preset, size, billions):
    began = time.monotonic()
    parts = counts(preset(size))
    assert parts["llm"] / 1e9 == pytest.approx(billions, abs=0.01)
    assert parts["vision_tower"] / 1e6 == pytest.approx(303.2, abs=0.2)  # CLIP ViT-L/14
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(("size", "billions"), [("qwen3_4b", 4.022), ("llama3_8b", 8.030)])
@pytest.mark.parametrize("preset", [vqa_preset, vsm_preset])
def test_today_s_language_models_have_the_parameters_of_their_cards(preset, size, billions):
    """A tied table counts once; four rows, in Llama's two tables, are the search model's own."""
    config = preset(size)
    parts = counts(config)
    assert parts["llm"] / 1e9 == pytest.approx(billions, abs=0.001)
    assert config.vision.num_tokens == 576
    assert parts["image_projector"] == 1025 * config.llm.hidden_size


@pytest.mark.parametrize(
    ("size", "layers", "width", "inner"), [("7b", 32, 4096, 11008), ("13b", 40, 5120, 13824)]
)
@pytest.mark.parametrize(("preset", "vocabulary"), [(vqa_preset, 32000), (vsm_preset, 32004)])
def test_every_parameter_of_a_preset_is_accounted_for(
    preset, vocabulary, size, layers, width, inner
):
    """LLaMA by its formula, the projections that depend on its width by theirs."""
    parts = counts(preset(size))
    layer = 4 * width**2 + 3 * width * inner + 2 * width  # attention, gated MLP, two norms
    assert parts["llm"] == 2 * vocabulary * width + layers * layer + width
    assert parts["image_projector"] == 1024 * width + width
    if preset is vsm_preset:
        for head, out in (("detection_query", 512), ("mask_query", 256)):
            assert parts[head] == width**2 + width + width * out + out
    else:
        block = 1024 * 1536 + 1024 * 2 * 1536 + 1536 * 1024 + 4 * 1024  # attention, two norms
        feed_forward = 2 * 1024 + 2 * 1024 * 4096  # a norm and two layers without bias
        resampler = 6 * (block + feed_forward) + 32 * 1024 + 1024 + 2 * 1024
        assert parts["object_projector"] == 2 * 1024 + resampler + 1024 * width + width


def test_the_miniature_is_tiny_and_its_decoders_have_the_documented_sizes():
    config = vsm_preset("miniature")
    assert config.detector.grid_size == 16 and config.vision.num_tokens == 64
    model = config.build().eval()
    features = torch.zeros(1, 16, 16, config.detector.hidden_size)
    with torch.no_grad():
        masks = model.decode_masks(features, torch.zeros(1, config.llm.hidden_size))
    assert masks.shape == (1, 64, 64)
    assert sum(counts(config).values()) < 3e6
    assert sum(counts(vqa_preset("miniature")).values()) < 2e6


@pytest.mark.parametrize("size", VQA_PRESETS)
def test_a_configuration_knows_its_preset(size):
    assert preset_name(vqa_preset(size)) == f"vqa_{size}"
    if not size.startswith("avg_"):  # of AVG-LLaVA, which answers alone
        assert preset_name(vsm_preset(size)) == f"vsm_{size}"
    assert {*VQA_PRESETS} - {*VSM_PRESETS} == {"avg_7b", "avg_13b", "avg_miniature"}


def test_other_sizes_are_no_preset():
    assert preset_name(VQAModelConfig(token_policy="consistent")) is None


def test_an_unknown_preset_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="7b, 13b, qwen3_4b, llama3_8b, miniature"):
        vqa_preset("70b")
