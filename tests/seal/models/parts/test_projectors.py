"""Both projectors give the reference's tokens."""

from __future__ import annotations

import pytest
import torch
from golden_files import golden_tensors
from golden_models import golden_vqa

from seal.models.parts.projectors import ResamplerConfig

CLOSE = {"atol": 1e-4, "rtol": 1e-4}


@pytest.mark.goldens("vqa_cases")
@torch.no_grad()
def test_projectors_equal_the_reference():
    t, model = golden_tensors("vqa_cases"), golden_vqa()
    features = t["modules.x"]
    assert model.object_projector is not None
    long, short = model.image_projector(features), model.object_projector(features)
    torch.testing.assert_close(long, t["modules.mm_projector"], **CLOSE)
    torch.testing.assert_close(short, t["modules.mm_projector_object"], **CLOSE)
    resampler = model.object_projector[1]
    alone = resampler(features)
    torch.testing.assert_close(alone, t["modules.perceiver_resampler_alone"], **CLOSE)
    attention = resampler.layers[0][0]
    attended = attention(features, resampler.latents.expand(len(features), -1, -1))
    torch.testing.assert_close(attended[:, None], t["modules.perceiver_attn0"], **CLOSE)


@pytest.mark.goldens("vqa_cases")
@torch.no_grad()
def test_tokens_of_the_images_equal_the_reference():
    t, model = golden_tensors("vqa_cases"), golden_vqa()
    features = t["tower.features"]
    assert model.object_projector is not None
    torch.testing.assert_close(model.image_projector(features), t["tower.long"], **CLOSE)
    torch.testing.assert_close(model.object_projector(features), t["tower.short"], **CLOSE)


@torch.no_grad()
def test_the_resampler_gives_its_latents_for_any_number_of_tokens_and_ignores_their_order():
    config = ResamplerConfig(num_latents=3, depth=2, num_heads=2, head_size=4)
    projector = config.build(8, 12).eval()
    features = torch.randn(2, 10, 8)
    tokens = projector(features)
    assert tokens.shape == (2, 3, 12) == projector(features[:, :4]).shape
    torch.testing.assert_close(projector(features.flip(1)), tokens)
