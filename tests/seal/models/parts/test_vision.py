"""Vision towers: the reference's features, and which hidden state of which family is read."""

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
FAMILIES = [
    {},
    {"pretrained_size": 42},
    {"family": "siglip"},
    {"family": "siglip", "image_size": 33, "pretrained_size": 45},
    {"family": "dinov2"},
    {"family": "dinov2", "pretrained_size": 70},
    {"family": "dinov2", "pretrained_size": 70, "num_registers": 4},
]


@pytest.mark.goldens("vqa_cases")
def test_tower_features_equal_the_reference():
    t = golden_tensors("vqa_cases")
    features = golden_vqa().encode_images(pixels(t["pool.images_u8"]))
    torch.testing.assert_close(features, t["tower.features"], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("layer", [-1, -2, -3, -4])
@pytest.mark.parametrize("own", FAMILIES, ids=str)
@torch.no_grad()
def test_the_layer_read_is_the_library_s_hidden_state_of_the_patches(own, layer):
    torch.manual_seed(0)
    config = VisionConfig(**SIZES | own, feature_layer=layer)
    tower = config.build().eval()
    side = config.image_size
    images = torch.randn(2, 3, side, side)
    features = tower(images)
    grid = side // config.patch_size
    assert features.shape == (2, config.num_tokens, 16) == (2, grid**2, 16)
    asked = {} if config.family == "dinov2" else {"interpolate_pos_encoding": True}
    whole = tower.vision_model(pixel_values=images, output_hidden_states=True, **asked)
    before = {"siglip": 0}.get(config.family, 1 + config.num_registers)
    states = [state[:, before:] for state in whole.hidden_states]
    assert len(states) == 4
    torch.testing.assert_close(features, states[layer], atol=1e-6, rtol=0)
    others = [state for i, state in enumerate(states) if i != layer + len(states)]
    assert not any(torch.allclose(features, state) for state in others)


@torch.no_grad()
def test_position_embeddings_of_another_size_are_interpolated_and_stay_as_they_are():
    small = VisionConfig(**SIZES, family="dinov2", pretrained_size=70)
    tower = small.build().eval()
    table = tower.vision_model.embeddings.position_embeddings
    assert table.shape == (1, 1 + 5 * 5, 16) and small.num_tokens == 4
    images = torch.randn(1, 3, 28, 28)
    plain = VisionConfig(**SIZES, family="dinov2").build().eval()
    state = tower.state_dict()
    patches = table[0, 1:].view(5, 5, 16).permute(2, 0, 1)[None]
    resized = torch.nn.functional.interpolate(patches, (2, 2), mode="bicubic")[0]
    state["vision_model.embeddings.position_embeddings"] = torch.cat(
        [table[:, :1], resized.permute(1, 2, 0).reshape(1, 4, 16)], dim=1
    )
    plain.load_state_dict(state)
    torch.testing.assert_close(tower(images), plain(images), atol=1e-6, rtol=0)


@torch.no_grad()
def test_what_a_siglip_grid_leaves_over_is_not_seen():
    tower = VisionConfig(**SIZES | {"image_size": 33}, family="siglip").build().eval()
    images = torch.randn(1, 3, 33, 33)
    changed = images.clone()
    changed[..., 28:] = 9.0
    changed[..., 28:, :] = 9.0
    assert torch.equal(tower(images), tower(changed))
    changed[..., 27] = 9.0
    assert not torch.allclose(tower(images), tower(changed))


def test_dinov2_small_at_half_its_size_builds_without_memory():
    with torch.device("meta"):
        tower = VisionConfig(
            family="dinov2", hidden_size=384, intermediate_size=1536, num_hidden_layers=12,
            num_attention_heads=6, image_size=224, pretrained_size=518,
        ).build()  # fmt: skip
    assert sum(p.numel() for p in tower.parameters()) == 22_056_576  # as published
    assert tower.config.num_tokens == 256


@torch.no_grad()
def test_layers_behind_the_one_that_is_read_are_not_run_but_stay_in_the_state():
    tower = VisionConfig(**SIZES).build().eval()
    layers = tower.vision_model.encoder.layers
    ran = []
    for index, layer in enumerate(layers):
        layer.register_forward_hook(lambda *_, index=index: ran.append(index))
    tower(torch.randn(1, 3, 28, 28))
    assert ran == [0, 1] and len(layers) == 3 and list(tower.layers_run) == list(layers[:2])
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


@pytest.mark.parametrize(
    ("wrong", "way_out"),
    [
        ({"image_size": 30}, "not a multiple of patch_size=14: take 28 or 42"),
        ({"family": "dinov2", "image_size": 30}, "take 28 or 42"),
        ({"family": "dinov2", "pretrained_size": 520}, "pretrained_size=520 .* take 518 or 532"),
        ({"family": "dinov2", "intermediate_size": 40}, "intermediate_size=40 is not a multiple"),
        ({"family": "siglip", "image_size": 10}, "patch_size=14 .* fit into image_size=10"),
        ({"family": "siglip2"}, "known: clip, siglip, dinov2 .*NaFlex"),
        ({"num_registers": 4}, "a clip tower has none; set it to 0"),
        ({"feature_layer": -5}, "expected -4 to -1 of 3 layers"),
    ],
)
def test_a_tower_that_does_not_fit_is_told_with_the_way_out(wrong, way_out):
    with pytest.raises(ValueError, match=way_out) as told:
        VisionConfig(**SIZES | wrong)
    assert "\n" not in str(told.value)
