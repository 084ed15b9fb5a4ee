"""The CLIP tower: the reference's features, and which hidden state is read."""

from __future__ import annotations

import pytest
import torch
from golden_files import golden_tensors
from golden_models import golden_vqa, pixels

from seal.models.parts.vision import ClipConfig

SIZES = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}


@pytest.mark.goldens("vqa_cases")
def test_tower_features_equal_the_reference():
    t = golden_tensors("vqa_cases")
    features = golden_vqa().encode_images(pixels(t["pool.images_u8"]))
    torch.testing.assert_close(features, t["tower.features"], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_the_second_to_last_layer_is_read_without_the_class_token():
    tower = ClipConfig(**SIZES).build().eval()
    images = torch.randn(2, 3, 28, 28)
    features = tower(images)
    assert features.shape == (2, tower.config.num_tokens, 16) == (2, 4, 16)
    for parameter in tower.vision_model.encoder.layers[-1].parameters():
        parameter.zero_()
    torch.testing.assert_close(tower(images), features)
    for parameter in tower.vision_model.encoder.layers[-2].parameters():
        parameter.zero_()
    assert not torch.allclose(tower(images), features)


@pytest.mark.parametrize(
    ("wrong", "value"),
    [("patch_size", 15), ("num_attention_heads", 3), ("feature_layer", -5), ("feature_layer", 1)],
)
def test_sizes_that_cannot_be_are_refused_by_name(wrong, value):
    with pytest.raises(ValueError, match=wrong):
        ClipConfig(**SIZES | {wrong: value})
