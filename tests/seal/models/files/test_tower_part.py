"""Public towers become ours, under the names of any version of the library."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    CLIPConfig,
    CLIPModel,
    Dinov2Config,
    Dinov2ForImageClassification,
    Dinov2Model,
    SiglipConfig,
    SiglipModel,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from seal.models.files.tower_names import name_on_disk, names_here
from seal.models.files.tower_part import tower_tensors
from seal.models.parts.vision import VisionConfig

SIZES = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "image_size": 28, "patch_size": 7,
}  # fmt: skip
SEEN = {**SIZES, "intermediate_size": 64}
TEXT = {
    "hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1,
    "vocab_size": 9,
}  # fmt: skip
DINO = {**SIZES, "image_size": 42}


def _siglip_whole():
    return SiglipModel(SiglipConfig(text_config=TEXT | {"projection_size": 16}, vision_config=SEEN))


PUBLIC = {
    "clip": lambda: CLIPModel(CLIPConfig(text_config=TEXT, vision_config=SEEN)).vision_model,
    "siglip": lambda: SiglipVisionModel(SiglipVisionConfig(**SEEN)),
    "siglip with its text encoder": _siglip_whole,
    "dinov2": lambda: Dinov2Model(Dinov2Config(**DINO)),
    "dinov2 that classifies": lambda: Dinov2ForImageClassification(Dinov2Config(**DINO)),
}


def _config(name: str, **own) -> VisionConfig:
    family = name.split()[0]
    more = {"family": family} | ({"pretrained_size": 42} if family == "dinov2" else {})
    return VisionConfig(**SEEN | more | own, feature_layer=-1)


def _old_names(folder):
    """As files of before 5.24 name DINOv2's attention."""
    pairs = {"q_proj": "attention.query", "k_proj": "attention.key", "v_proj": "attention.value"}
    pairs["o_proj"] = "output.dense"
    state = {}
    for key, tensor in load_file(folder / "model.safetensors").items():
        for new, old in pairs.items():
            key = key.replace(f".attention.{new}.", f".attention.{old}.")
        state[key] = tensor
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("name", PUBLIC)
@torch.no_grad()
def test_a_public_tower_gives_the_features_it_gave(name, old, tmp_path):
    torch.manual_seed(0)
    public = PUBLIC[name]().eval()
    public.save_pretrained(tmp_path)
    if old:
        _old_names(tmp_path)
    tower = _config(name).build().eval()
    state = names_here(
        tower_tensors(tmp_path, tower.config),
        [f"vision_tower.{key}" for key in tower.state_dict()],
    )
    tower.load_state_dict({k.removeprefix("vision_tower."): v for k, v in state.items()})
    theirs = getattr(public, "vision_model", getattr(public, "dinov2", public))
    images = torch.randn(2, 3, 28, 28)
    states = theirs(pixel_values=images, output_hidden_states=True).hidden_states[-1]
    before = tower.config.num_prefix_tokens
    torch.testing.assert_close(tower(images), states[:, before:], atol=1e-6, rtol=0)


def test_on_disk_a_tower_has_one_layout_and_here_the_installed_library_s():
    old = "vision_tower.vision_model.encoder.layer.0.attention.attention.query.weight"
    new = "vision_tower.vision_model.encoder.layer.0.attention.q_proj.weight"
    dense = "vision_tower.vision_model.encoder.layer.0.attention.output.dense.bias"
    other = "llm.model.layers.0.self_attn.q_proj.weight"
    assert name_on_disk(old) == name_on_disk(new) == new
    assert name_on_disk(dense).endswith(".attention.o_proj.bias")
    assert name_on_disk(other) == other
    assert names_here({new: 1, other: 2}, {old, other}) == {old: 1, other: 2}
    assert names_here({new: 1}, {new}) == {new: 1}


@pytest.mark.parametrize(
    ("own", "way_out"),
    [
        ({"pretrained_size": 0}, r"6 x 6 patches.* set \+\+model.vision.pretrained_size=42"),
        ({"family": "clip", "pretrained_size": 0}, r"dinov2 is no clip tower: \+\+model.vision.fa"),
        ({"num_attention_heads": 4}, r"heads=2, but the model has 4: \+\+model.vision.num_att"),
        ({"num_hidden_layers": 3}, "num_hidden_layers=2, but the model has 3"),
        ({"hidden_act": "quick_gelu"}, "hidden_act=gelu, but the model has quick_gelu"),
    ],
)
def test_another_tower_than_the_configuration_s_is_told(own, way_out, tmp_path):
    PUBLIC["dinov2"]().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=way_out) as told:
        tower_tensors(tmp_path, _config("dinov2", **own))
    assert str(tmp_path) in str(told.value) and "\n" not in str(told.value)


def test_what_a_published_file_leaves_out_has_the_library_s_value(tmp_path):
    """As in SigLIP's: no shape tells the number of heads."""
    PUBLIC["siglip with its text encoder"]().save_pretrained(tmp_path)
    seen = {key: value for key, value in SEEN.items() if key != "num_attention_heads"}
    content = {"model_type": "siglip", "vision_config": seen}
    (tmp_path / "config.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="num_attention_heads=12, but the model has 2"):
        tower_tensors(tmp_path, _config("siglip"))


@pytest.mark.parametrize(
    ("content", "way_out"),
    [
        ({"model_type": "siglip2_vision_model"}, "NaFlex.* take one of a fixed resolution"),
        ({"model_type": "dinov2", "use_swiglu_ffn": True}, "take DINOv2 small, base or large"),
    ],
)
def test_towers_that_cannot_be_used_are_told(content, way_out, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=way_out):
        tower_tensors(tmp_path, _config("dinov2"))


def test_a_folder_without_a_tower_is_told(tmp_path):
    save_file({"model.norm.weight": torch.ones(2)}, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="holds no siglip tower: name another with vision="):
        tower_tensors(tmp_path, _config("siglip"))
