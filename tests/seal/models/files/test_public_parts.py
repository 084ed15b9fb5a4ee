"""Public parts become a model to train."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import tiny_models
import torch
from safetensors.torch import load_file
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    LlamaConfig,
    LlamaForCausalLM,
    Owlv2Config,
    Owlv2ForObjectDetection,
    OwlViTConfig,
    OwlViTForObjectDetection,
)

from seal.images.tiles import TilesConfig
from seal.models.files.authors import write_authors
from seal.models.files.load import parameter_table
from seal.models.files.public_parts import from_parts
from seal.models.files.save import save_model
from seal.models.parts.router import RouterConfig
from seal.models.vqa import GranularityConfig, VQAModelConfig


@pytest.fixture(scope="module")
def parts(tmp_path_factory) -> dict[str, Path]:
    """Tiny models as Hugging Face saves them: a LLaMA of 40 pieces, CLIP and OWL-ViT."""
    folder = tmp_path_factory.mktemp("parts")
    torch.manual_seed(0)
    vision = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_attention_heads": 2,
        "hidden_act": "quick_gelu",
    }
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    llama = LlamaConfig(vocab_size=40, num_attention_heads=4, **size)
    clip = CLIPVisionConfig(image_size=28, patch_size=14, num_hidden_layers=3, **vision)
    text = {"hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1, "vocab_size": 9}
    seen = dict(vision, image_size=32, patch_size=8, num_hidden_layers=2)
    owl = OwlViTConfig(text_config=text, vision_config=seen, projection_dim=8)
    owlv2 = Owlv2Config(text_config=text, vision_config=seen, projection_dim=8)
    for name, model in {
        "llm": LlamaForCausalLM(llama),
        "clip": CLIPVisionModelWithProjection(clip),
        "detector": OwlViTForObjectDetection(owl),
        "owlv2": Owlv2ForObjectDetection(owlv2),
    }.items():
        model.save_pretrained(folder / name)
    return {name: folder / name for name in ("llm", "clip", "detector")}


def vsm_config():
    config = tiny_models.vsm_model().config
    llm = dataclasses.replace(config.llm, vocab_size=42)
    detector = dataclasses.replace(config.detector, query_size=8)
    return dataclasses.replace(config, llm=llm, detector=detector)


def test_public_parts_become_a_search_model_whose_new_heads_come_from_the_seed(parts):
    model = from_parts(vsm_config(), **parts, seed=1)
    llm = load_file(parts["llm"] / "model.safetensors")
    table = model.llm.get_input_embeddings().weight
    assert torch.equal(table[:40], llm["model.embed_tokens.weight"])
    torch.testing.assert_close(table[40:], table[:40].mean(0).expand(2, -1))
    owl = load_file(parts["detector"] / "model.safetensors")
    assert torch.equal(model.detector.box_head.dense0.weight, owl["box_head.dense0.weight"])
    clip = load_file(parts["clip"] / "model.safetensors")
    weight = "encoder.layers.2.mlp.fc1.weight"
    assert torch.equal(
        model.vision_tower.vision_model.get_parameter(weight), clip[f"vision_model.{weight}"]
    )
    again, other = (from_parts(vsm_config(), **parts, seed=seed) for seed in (1, 2))
    for name in ("detection_query", "mask_query", "mask_head", "image_projector"):
        mine, same, new = (getattr(m, name).state_dict() for m in (model, again, other))
        assert all(torch.equal(mine[key], same[key]) for key in mine)
        assert any(not torch.equal(mine[key], new[key]) for key in mine)


@pytest.mark.parametrize("name", ["vqa", "vsm"])
def test_what_is_made_of_parts_runs(parts, name):
    config = vsm_config() if name == "vsm" else tiny_models.vqa_model().config
    if name == "vqa":
        config = dataclasses.replace(config, llm=dataclasses.replace(config.llm, vocab_size=40))
        chosen = {key: parts[key] for key in ("llm", "clip")}
    else:
        chosen = parts
    model = from_parts(config, **chosen)
    with torch.no_grad():
        features = model.encode_images(torch.zeros(1, 3, 28, 28))
        assert model.image_projector(features).isfinite().all()
        assert model.llm(input_ids=torch.tensor([[1, 2]])).logits.isfinite().all()


def test_parts_of_other_sizes_are_named(parts):
    config = tiny_models.vqa_model().config
    wide = dataclasses.replace(config, vision=dataclasses.replace(config.vision, hidden_size=24))
    with pytest.raises(ValueError, match=r"vision_tower\S* has shape"):
        from_parts(wide, llm=parts["llm"], clip=parts["clip"])
    few = dataclasses.replace(config, llm=dataclasses.replace(config.llm, vocab_size=39))
    with pytest.raises(ValueError, match="40 rows, the vocabulary 39"):
        from_parts(few, llm=parts["llm"], clip=parts["clip"])


def test_a_detector_goes_with_a_search_model_alone(parts):
    with pytest.raises(ValueError, match="needs a detector="):
        from_parts(vsm_config(), llm=parts["llm"], clip=parts["clip"])
    with pytest.raises(ValueError, match="has no detector"):
        from_parts(tiny_models.vqa_model().config, **parts)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("num_attention_heads", 8),
        ("rms_norm_eps", 1e-5),
        ("rope_theta", 5e5),
        ("rope_scaling", {"factor": 4.0, "type": "linear"}),
    ],
)
def test_a_llama_that_no_shape_tells_apart_is_refused(parts, tmp_path, key, value):
    shutil.copytree(parts["llm"], tmp_path / "llm")
    path = tmp_path / "llm" / "config.json"
    # As files of before transformers 5 have it: the settings of positions beside the others.
    told = {k: v for k, v in json.loads(path.read_text()).items() if k != "rope_parameters"}
    path.write_text(json.dumps(told | {key: value}))
    with pytest.raises(ValueError, match=f"config.json: {key}="):
        from_parts(vsm_config(), **parts | {"llm": tmp_path / "llm"})


def with_detector(family: str):
    config = vsm_config()
    return dataclasses.replace(config, detector=dataclasses.replace(config.detector, family=family))


@pytest.mark.parametrize(
    ("family", "folder", "kind"),
    [("owlvit", "detector", OwlViTForObjectDetection), ("owlv2", "owlv2", Owlv2ForObjectDetection)],
)
@torch.no_grad()
def test_a_public_detector_scores_and_places_as_it_did(parts, family, folder, kind):
    theirs = kind.from_pretrained(parts["detector"].parent / folder).eval()
    model = from_parts(
        with_detector(family), **parts | {"detector": parts["detector"].parent / folder}
    ).eval()
    assert not any("objectness" in key for key in model.state_dict())
    pixels = torch.randn(2, 3, 32, 32)
    ids = torch.tensor([[1, 2, 3], [1, 4, 3]])
    wanted = theirs(input_ids=ids, pixel_values=pixels, attention_mask=torch.ones_like(ids))
    features = model.detector.encode(pixels)
    torch.testing.assert_close(features, wanted.image_embeds, atol=1e-6, rtol=0)
    scores = model.detector.predict_logits(features, wanted.text_embeds[:, 0])
    torch.testing.assert_close(scores, wanted.logits[..., 0], atol=1e-5, rtol=1e-5)
    boxes = model.detector.predict_boxes(features)
    torch.testing.assert_close(boxes, wanted.pred_boxes, atol=1e-6, rtol=0)


def test_a_detector_of_another_family_is_told_with_the_way_out(parts):
    with pytest.raises(ValueError, match=r"holds no owlv2 detector: \+\+model\.detector\.family="):
        from_parts(with_detector("owlv2"), **parts)


def test_parts_need_a_tower_which_goes_by_either_name(parts):
    config = vsm_config()
    both = [
        from_parts(config, llm=parts["llm"], detector=parts["detector"], **{name: parts["clip"]})
        for name in ("vision", "clip")
    ]
    ours, theirs = (model.vision_tower.state_dict() for model in both)
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    with pytest.raises(ValueError, match="vision= names the folder"):
        from_parts(config, llm=parts["llm"], detector=parts["detector"])


def test_a_search_model_begins_with_the_projector_that_a_vqa_llm_was_aligned_with(parts, tmp_path):
    config = tiny_models.vqa_model().config
    config = dataclasses.replace(config, llm=dataclasses.replace(config.llm, vocab_size=40))
    aligned = from_parts(config, llm=parts["llm"], clip=parts["clip"], seed=3)
    save_model(tmp_path / "aligned", aligned, tiny_models.tokenizer().folder)
    model = from_parts(vsm_config(), **parts | {"llm": tmp_path / "aligned"}, seed=1)
    for name in ("image_projector.weight", "llm.model.layers.1.mlp.up_proj.weight"):
        assert torch.equal(model.get_parameter(name), aligned.get_parameter(name))
    other = vsm_config()
    other.vision = dataclasses.replace(other.vision, feature_layer=-1)
    with pytest.raises(ValueError, match=r"image projector reads .*feature_layer=-2.* set \+\+mod"):
        from_parts(other, **parts | {"llm": tmp_path / "aligned"})


def avg_config() -> VQAModelConfig:
    config = tiny_models.vqa_model().config
    llm = dataclasses.replace(config.llm, vocab_size=40)
    return dataclasses.replace(
        config, llm=llm, resampler=None, projector="mlp2x_gelu", tiles=TilesConfig(),
        granularity=GranularityConfig(levels=[1, 4]), router=RouterConfig(text_tokens=2),
        token_policy="router",
    )  # fmt: skip


def test_a_decoder_and_a_tower_become_a_model_of_tiles_and_levels(parts):
    public = {key: parts[key] for key in ("llm", "clip")}
    one, same, other = (from_parts(avg_config(), **public, seed=seed) for seed in (1, 1, 2))
    new = ["image_newline", "image_projector.2.weight", "router.voter", "router.layer.norm2.weight"]
    for key in new[:3]:
        mine = one.get_parameter(key)
        assert torch.equal(mine, same.get_parameter(key))
        assert not torch.equal(mine, other.get_parameter(key))
    assert {key.split(".")[0] for key in new} <= {n for n, _, _ in parameter_table(one)}
    llm = load_file(parts["llm"] / "model.safetensors")
    assert torch.equal(one.llm.lm_head.weight, llm["lm_head.weight"])


@pytest.mark.parametrize("layout", [save_model, write_authors])
def test_the_projector_and_newline_of_another_model_of_tiles_are_taken(layout, parts, tmp_path):
    plain = dataclasses.replace(avg_config(), granularity=None, router=None)
    trained = from_parts(plain, llm=parts["llm"], clip=parts["clip"], seed=3)
    layout(tmp_path / "next", trained, tiny_models.tokenizer().folder)
    model = from_parts(avg_config(), llm=tmp_path / "next", clip=parts["clip"], seed=4)
    for key in ("image_newline", "image_projector.2.bias", "image_projector.0.weight"):
        assert torch.equal(model.get_parameter(key), trained.get_parameter(key)), key


def test_a_decoder_of_another_architecture_is_told_with_the_way_out(parts, tmp_path):
    shutil.copytree(parts["llm"], tmp_path / "llm")
    path = tmp_path / "llm" / "config.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps(told | {"model_type": "qwen3", "head_dim": 8}))
    with pytest.raises(
        ValueError, match=r"architecture=qwen3, but the model has llama; .*\+\+model\.llm"
    ):
        from_parts(vsm_config(), **parts | {"llm": tmp_path / "llm"})
