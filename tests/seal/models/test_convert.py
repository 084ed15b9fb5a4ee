"""Released checkpoints become our models and back; public parts become a model to train."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import tiny_models
import torch
from golden_files import golden_json, golden_path, golden_tensors, needs_goldens
from golden_models import golden_vqa, golden_vsm
from safetensors.torch import load_file, save_file
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    LlamaConfig,
    LlamaForCausalLM,
    OwlViTConfig,
    OwlViTForObjectDetection,
)

from seal.models.convert import (
    authors_config,
    authors_keys,
    compare_keys,
    from_authors,
    from_parts,
    to_authors,
    write_authors,
)

MODELS = {"vqa_state": golden_vqa, "vsm_state": golden_vsm}


def golden_folder(name: str, folder: Path, kind: str) -> Path:
    """The golden state as its authors would save it."""
    folder.mkdir()
    state = {key: value.float() for key, value in golden_tensors(name).items()}
    if kind == "bin":
        torch.save(state, folder / "pytorch_model.bin")
    elif kind == "safetensors":
        save_file(state, folder / "model.safetensors")
    else:
        keys, files = list(state), ("a.bin", "b.bin")
        for part, file in enumerate(files):
            torch.save({key: state[key] for key in keys[part::2]}, folder / file)
        placed = {key: files[number % 2] for number, key in enumerate(keys)}
        index = json.dumps({"weight_map": placed})
        (folder / "pytorch_model.bin.index.json").write_text(index)
    return folder


@pytest.mark.goldens
@needs_goldens
@pytest.mark.parametrize("kind", ["bin", "safetensors", "shards"])
@pytest.mark.parametrize("name", MODELS)
def test_a_checkpoint_of_the_authors_becomes_the_golden_model(name, kind, tmp_path):
    model = MODELS[name]()
    found = from_authors(golden_folder(name, tmp_path / "theirs", kind), model.config)
    assert type(found) is type(model)
    for key, value in model.state_dict().items():
        assert torch.equal(found.state_dict()[key], value), key


@pytest.mark.goldens
@needs_goldens
@pytest.mark.parametrize("name", MODELS)
def test_writing_their_layout_gives_their_tensors_back(name, tmp_path):
    model, stored = MODELS[name](), golden_tensors(name)
    folder = golden_path("tokenizer" if name == "vqa_state" else "tokenizer_vsm")
    write_authors(tmp_path / "theirs", model, folder)
    written = load_file(tmp_path / "theirs" / "model.safetensors")
    left_out = {key for key in stored if name == "vsm_state" and ".vision_tower." in key}
    left_out |= {key for key in stored if key.endswith("position_ids")}
    assert written.keys() == stored.keys() - left_out
    for key, value in written.items():
        torch.testing.assert_close(value, stored[key].float(), atol=1e-6, rtol=1e-6)
    assert (tmp_path / "theirs" / "tokenizer.model").exists()
    config = json.loads((tmp_path / "theirs" / "config.json").read_text())
    reference = golden_json(name)["config"]
    for key in reference.keys() & config.keys() - {"mm_vision_tower"}:
        assert config[key] == reference[key], key
    assert {"model_type", "mm_hidden_size", "vocab_size"} <= reference.keys() & config.keys()


@pytest.mark.goldens
@needs_goldens
def test_a_search_model_without_its_tower_asks_for_clip_and_takes_it(tmp_path):
    """The released file has none."""
    model = golden_vsm()
    state = to_authors(model)
    (tmp_path / "theirs").mkdir()
    save_file(state, tmp_path / "theirs" / "model.safetensors")
    with pytest.raises(ValueError, match="clip="):
        from_authors(tmp_path / "theirs", model.config)
    (tmp_path / "clip").mkdir()
    tower = {
        f"vision_model.{key}": value.clone()
        for key, value in model.vision_tower.vision_model.state_dict().items()
    }
    other = {"text_model.weight": torch.zeros(2)}
    save_file(tower | other, tmp_path / "clip" / "model.safetensors")
    found = from_authors(tmp_path / "theirs", model.config, clip=tmp_path / "clip")
    for key, value in model.state_dict().items():
        assert torch.equal(found.state_dict()[key], value), key


def test_keys_are_compared_without_any_weights():
    model = tiny_models.vqa_model()
    state = model.state_dict()
    shapes = {
        theirs: [4] if ours is None else list(state[ours].shape)
        for theirs, ours in authors_keys(model).items()
    }
    assert compare_keys(model.config, shapes) == []
    del shapes["model.norm.weight"]
    shapes |= {"lm_head.weight": [1, 2], "lm_head.bias": [3]}
    problems = " ".join(compare_keys(model.config, shapes))
    assert "missing key model.norm.weight" in problems
    assert "extra key lm_head.bias" in problems and "lm_head.weight has shape [1, 2]" in problems


def test_an_existing_folder_is_not_overwritten(tmp_path):
    with pytest.raises(ValueError, match="choose a new folder"):
        write_authors(tmp_path, tiny_models.vqa_model(), tiny_models.tokenizer().folder)


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
    for name, model in {
        "llm": LlamaForCausalLM(llama),
        "clip": CLIPVisionModelWithProjection(clip),
        "detector": OwlViTForObjectDetection(owl),
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
    wide = dataclasses.replace(config, clip=dataclasses.replace(config.clip, hidden_size=24))
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


def test_a_file_that_would_run_code_is_refused(tmp_path):
    torch.save({"weight": Path("x")}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match="not a file of tensors"):
        from_authors(tmp_path, tiny_models.vqa_model().config)


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"has none of model\.safetensors, pytorch_model\.bin"):
        from_authors(tmp_path, tiny_models.vqa_model().config)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"metadata": {}}', "has no weight_map of tensor names to files"),
        ('{"weight_map": ["a"]}', "has no weight_map"),
        ("[]", "has no weight_map"),
        ("{", "is not JSON"),
    ],
)
def test_an_index_that_names_no_shards_is_named(tmp_path, text, says):
    (tmp_path / "pytorch_model.bin.index.json").write_text(text)
    with pytest.raises(ValueError, match=rf"pytorch_model\.bin\.index\.json {says}"):
        from_authors(tmp_path, tiny_models.vqa_model().config)


def test_their_configuration_tells_both_models_apart():
    vqa, vsm = (authors_config(m().config) for m in (tiny_models.vqa_model, tiny_models.vsm_model))
    assert (vqa["model_type"], vsm["model_type"]) == ("llava_search", "llava")
