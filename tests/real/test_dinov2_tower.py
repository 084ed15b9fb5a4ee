"""The real DINOv2-S as a model's tower, from its public folder."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoModel

from seal.models.files.tower_part import tower_tensors
from seal.models.parts.vision import VisionConfig

pytestmark = pytest.mark.real


@pytest.mark.parametrize("size", [112, 224])
@torch.inference_mode()
def test_its_patches_are_the_library_s_at_the_size_that_is_used(dinov2, size):
    config = VisionConfig(
        family="dinov2", hidden_size=384, intermediate_size=1536, num_hidden_layers=12,
        num_attention_heads=6, image_size=size, pretrained_size=518,
    )  # fmt: skip
    tower = config.build().eval()
    stored = tower_tensors(dinov2, config)
    tower.load_state_dict({k.removeprefix("vision_tower."): v for k, v in stored.items()})
    pixels = torch.randn(2, 3, size, size)
    whole = AutoModel.from_pretrained(dinov2).eval()(pixels, output_hidden_states=True)
    wanted = whole.hidden_states[-2][:, 1:]
    assert wanted.shape == (2, (size // 14) ** 2, 384)
    torch.testing.assert_close(tower(pixels), wanted, atol=1e-5, rtol=0)
