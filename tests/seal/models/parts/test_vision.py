"""The CLIP tower: the reference's features, and which hidden state is read."""

from __future__ import annotations

import pytest
import torch
from golden_files import golden_tensors
from golden_models import golden_vqa, pixels

from seal.models.parts.vision import VisionConfig

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


@pytest.mark.parametrize("layer", [-1, -2, -3, -4])
@torch.no_grad()
def test_the_layer_read_is_the_library_s_hidden_state_without_the_class_token(layer):
    tower = VisionConfig(**SIZES, feature_layer=layer).build().eval()
    images = torch.randn(2, 3, 28, 28)
    features = tower(images)
    assert features.shape == (2, tower.config.num_tokens, 16) == (2, 4, 16)
    whole = tower.vision_model(pixel_values=images, output_hidden_states=True).hidden_states
    assert len(whole) == 4
    assert torch.equal(features, whole[layer][:, 1:])
    others = [state for i, state in enumerate(whole) if i != layer + len(whole)]
    assert not any(torch.allclose(features, state[:, 1:]) for state in others)


@torch.no_grad()
def test_layers_behind_the_one_that_is_read_are_not_run_but_stay_in_the_state():
    tower = VisionConfig(**SIZES).build().eval()
    layers = tower.vision_model.encoder.layers
    ran = []
    for index, layer in enumerate(layers):
        layer.register_forward_hook(lambda *_, index=index: ran.append(index))
    tower(torch.randn(1, 3, 28, 28))
    assert ran == [0, 1] and len(layers) == 3
    state = {key: value.clone() for key, value in tower.state_dict().items()}
    assert any(".layers.2." in key for key in state)
    other = VisionConfig(**SIZES).build()
    other.load_state_dict(state, strict=True)


@pytest.mark.parametrize(
    ("wrong", "value"),
    [("patch_size", 15), ("num_attention_heads", 3), ("feature_layer", -5), ("feature_layer", 1)],
)
def test_sizes_that_cannot_be_are_refused_by_name(wrong, value):
    with pytest.raises(ValueError, match=wrong):
        VisionConfig(**SIZES | {wrong: value})
