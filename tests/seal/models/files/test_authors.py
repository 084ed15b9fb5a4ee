"""Released checkpoints are read as they are, strictly, and written back key for key."""

from __future__ import annotations

import dataclasses
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
import tiny_models
import torch
from golden_files import golden_json, golden_path, golden_tensors
from golden_models import golden_vqa, golden_vsm
from safetensors.torch import load_file, save_file

from seal.models.files.authors import (
    authors_keys,
    config_of_authors,
    to_authors,
    write_authors,
)
from seal.models.files.key_report import compare_keys
from seal.models.files.layouts import layout_of
from seal.models.files.load import load_model, read_config
from seal.models.files.model_config import config_to_dict
from seal.models.files.save import save_model
from seal.models.files.shards import StoredTensor
from seal.models.presets import vqa_preset, vsm_preset

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
    write_config(folder, golden_json(name)["config"], MODELS[name]().config)
    return folder


def write_config(folder: Path, theirs: dict[str, Any], config: Any) -> None:
    """Their config.json with the sizes it does not tell, which are the published ones otherwise."""
    content = theirs | {"seal": config_to_dict(config)}
    (folder / "config.json").write_text(json.dumps(content))


@pytest.mark.goldens("states")
@pytest.mark.parametrize("kind", ["bin", "safetensors", "shards"])
@pytest.mark.parametrize("name", MODELS)
def test_a_checkpoint_of_the_authors_becomes_the_golden_model(name, kind, tmp_path):
    model = MODELS[name]()
    found = load_model(golden_folder(name, tmp_path / "theirs", kind))
    assert type(found) is type(model)
    for key, value in model.state_dict().items():
        assert torch.equal(found.state_dict()[key], value), key


@pytest.mark.goldens("states")
@pytest.mark.parametrize("name", MODELS)
def test_writing_their_layout_gives_their_tensors_back(name, tmp_path):
    model, stored = MODELS[name](), golden_tensors(name)
    folder = golden_path("tokenizer" if name == "vqa_state" else "tokenizer_vsm")
    write_authors(tmp_path / "theirs", model, folder)
    written = load_file(tmp_path / "theirs" / "model.safetensors")
    described = golden_json(name)
    assert len(stored) == described["n_tensors"]
    if name == "vqa_state":
        parts = described["keys_present_without_vision_tower"], described["vision_tower_keys"]
        assert set().union(*parts) == stored.keys()
    else:
        assert model.config.llm.vocab_size == described["vocab_size"]
    left_out = set(described.get("dropped_by_merge_script", ()))
    left_out |= {key for key in stored if key.endswith("position_ids")}
    assert written.keys() == stored.keys() - left_out
    for key, value in written.items():
        torch.testing.assert_close(value, stored[key].float(), atol=1e-6, rtol=1e-6)
    assert (tmp_path / "theirs" / "tokenizer.model").exists()
    config = json.loads((tmp_path / "theirs" / "config.json").read_text())
    reference = golden_json(name)["config"]
    for key in reference.keys() & config.keys() - {"mm_vision_tower", "vision_tower"}:
        assert config[key] == reference[key], key
    assert {"model_type", "mm_hidden_size", "vocab_size"} <= reference.keys() & config.keys()


@pytest.mark.goldens("states")
def test_a_search_model_without_its_tower_asks_for_clip_and_takes_it(tmp_path):
    """The released file has none."""
    model = golden_vsm()
    state = to_authors(model)
    (tmp_path / "theirs").mkdir()
    save_file(state, tmp_path / "theirs" / "model.safetensors")
    write_config(tmp_path / "theirs", layout_of(model.config).write(model.config), model.config)
    with pytest.raises(ValueError, match="clip="):
        load_model(tmp_path / "theirs")
    (tmp_path / "clip").mkdir()
    tower = {
        f"vision_model.{key}": value.clone()
        for key, value in model.vision_tower.vision_model.state_dict().items()
    }
    other = {"text_model.weight": torch.zeros(2)}
    save_file(tower | other, tmp_path / "clip" / "model.safetensors")
    found = load_model(tmp_path / "theirs", clip=tmp_path / "clip")
    shared = load_model(tmp_path / "theirs", clip=model.vision_tower)
    assert shared.vision_tower is model.vision_tower
    for key, value in model.state_dict().items():
        assert torch.equal(found.state_dict()[key], value), key


PUBLISHED = Path(
    os.environ.get("SEAL_PUBLISHED", Path(__file__).resolve().parents[5] / "shared" / "published")
)
needs_published = pytest.mark.skipif(
    not PUBLISHED.is_dir(), reason=f"no list of released tensors in {PUBLISHED}; set SEAL_PUBLISHED"
)
RELEASED = {"seal_vqa_7b": vqa_preset("7b"), "seal_vsm_7b": vsm_preset("7b")}
# What their LLaMA of 7 billion parameters says of itself.
LLAMA_7B = {
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "rms_norm_eps": 1e-6,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


def released(name: str) -> dict[str, list[int]]:
    return json.loads((PUBLISHED / f"{name}.json").read_text())


@needs_published
@pytest.mark.parametrize("name", RELEASED)
def test_every_released_tensor_has_one_home_of_its_shape(name):
    with torch.device("meta"):
        model = RELEASED[name].build()
    report = compare_keys(model, released(name))
    assert report.fits and report.recomputed == 32
    assert report.mapped + report.recomputed == len(released(name))
    assert report.mapped + report.apart == len(model.state_dict())
    assert bool(report.apart) == (name == "seal_vsm_7b")


@needs_published
@pytest.mark.parametrize("name", RELEASED)
def test_what_we_write_for_their_code_has_the_released_keys_and_shapes(name):
    with torch.device("meta"):
        model = RELEASED[name].build()
    state, half_head = model.state_dict(), [64]
    shapes = {
        theirs: half_head if ours is None else list(state[ours].shape)
        for theirs, ours in authors_keys(model).items()
    }
    assert shapes == released(name)


@needs_published
@pytest.mark.parametrize("name", RELEASED)
def test_their_configuration_and_the_rows_in_the_file_tell_the_sizes(name, tmp_path):
    stored = {
        key: StoredTensor(tmp_path / "x.bin", key, tuple(shape), torch.float16)
        for key, shape in released(name).items()
    }
    kind = "llava_search" if name == "seal_vqa_7b" else "llava"
    # As in the release, config.json counts other rows than there are.
    content = LLAMA_7B | {"model_type": kind, "vocab_size": 32003, "out_dim": 256}
    wanted = RELEASED[name]
    found = config_of_authors(tmp_path, content, stored)
    llm = dataclasses.replace(wanted.llm, max_position_embeddings=2048)
    assert found == dataclasses.replace(wanted, llm=llm)
    for change, says in (
        ({"hidden_size": ...}, "has no 'hidden_size'"),
        ({"hidden_size": 4097}, "hidden_size=4097 is not a multiple"),
        ({"num_key_value_heads": 8}, "num_key_value_heads=8"),
        ({"rope_scaling": {"factor": 2}}, "rope_scaling"),
        ({"rope_theta": 500000.0}, r"rope_theta=500000\.0 is not what"),
        ({"hidden_act": "gelu"}, "hidden_act=gelu is not what"),
    ):
        changed = {k: v for k, v in (content | change).items() if v is not ...}
        with pytest.raises(ValueError, match=says):
            config_of_authors(tmp_path, changed, stored)
    short = dataclasses.replace(stored["lm_head.weight"], shape=(7, 4096))
    with pytest.raises(ValueError, match=r"rows, lm_head\.weight 7"):
        config_of_authors(tmp_path, content, stored | {"lm_head.weight": short})
    del stored["lm_head.weight"]
    with pytest.raises(ValueError, match=r"has no lm_head\.weight"):
        config_of_authors(tmp_path, content, stored)


def test_keys_are_compared_without_any_weights():
    model = tiny_models.vqa_model()
    state = model.state_dict()
    shapes = {
        theirs: [4] if ours is None else list(state[ours].shape)
        for theirs, ours in authors_keys(model).items()
    }
    report = compare_keys(model, shapes)
    assert report.fits and report.mapped == len(state) and report.recomputed == 2
    del shapes["model.norm.weight"]
    shapes |= {"lm_head.weight": [1, 2], "lm_head.bias": [3]}
    report = compare_keys(model, shapes)
    assert not report.fits and report.mapped == len(state) - 2
    assert report.unfilled == ["llm.model.norm.weight (model.norm.weight)"]
    assert report.unmapped == ["lm_head.bias"]
    assert "lm_head.weight has shape [1, 2]" in report.reshaped[0]


@pytest.mark.parametrize("kind", ["vqa", "vsm"])
def test_a_folder_written_for_their_code_is_read_back_with_all_its_sizes(kind, tmp_path):
    model = tiny_models.vqa_model() if kind == "vqa" else tiny_models.vsm_model()
    write_authors(tmp_path / "theirs", model.bfloat16(), tiny_models.tokenizer().folder)
    assert read_config(tmp_path / "theirs") == model.config
    found = load_model(tmp_path / "theirs", keep_dtype=True, clip=model.vision_tower)
    assert same(found, model)
    assert load_model(tmp_path / "theirs", clip=model.vision_tower).dtype == torch.float32


def test_a_vqa_checkpoint_without_its_tower_takes_one_as_well(tmp_path):
    model = tiny_models.vqa_model()
    write_authors(tmp_path / "theirs", model, tiny_models.tokenizer().folder)
    path = tmp_path / "theirs" / "model.safetensors"
    rest = {key: t for key, t in load_file(path).items() if ".vision_tower." not in key}
    save_file(rest, path)
    with pytest.raises(ValueError, match=r"theirs holds no CLIP tower: .*clip="):
        load_model(tmp_path / "theirs")
    assert same(load_model(tmp_path / "theirs", clip=model.vision_tower), model)
    save_model(tmp_path / "ours", model, tiny_models.tokenizer().folder)
    assert same(load_model(tmp_path / "theirs", clip=tmp_path / "ours"), model)
    with pytest.raises(ValueError, match=r"theirs holds no CLIP: no tensor there begins"):
        load_model(tmp_path / "theirs", clip=tmp_path / "theirs")


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    theirs = other.state_dict()
    return all(torch.equal(value, theirs[key]) for key, value in one.state_dict().items())


def test_a_key_without_a_rule_and_a_tower_of_other_sizes_are_named(tmp_path):
    model = tiny_models.vsm_model()
    write_authors(tmp_path / "theirs", model, tiny_models.tokenizer().folder)
    wide = dataclasses.replace(model.config.vision, intermediate_size=48).build()
    with pytest.raises(ValueError, match=r"intermediate_size=48.* needs .*intermediate_size=32"):
        load_model(tmp_path / "theirs", clip=wide)
    path = tmp_path / "theirs" / "model.safetensors"
    save_file(load_file(path) | {"model.adapter.weight": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match=r"theirs: model\.adapter\.weight: expected one rule"):
        load_model(tmp_path / "theirs", clip=model.vision_tower)


def test_an_existing_folder_is_not_overwritten(tmp_path):
    with pytest.raises(ValueError, match="choose a new folder"):
        write_authors(tmp_path, tiny_models.vqa_model(), tiny_models.tokenizer().folder)


def test_their_configuration_tells_both_models_apart():
    configs = (make().config for make in (tiny_models.vqa_model, tiny_models.vsm_model))
    vqa, vsm = (layout_of(config).write(config) for config in configs)
    assert (vqa["model_type"], vsm["model_type"]) == ("llava_search", "llava")


@pytest.mark.goldens("states")
@pytest.mark.parametrize("name", MODELS)
def test_the_configuration_has_the_keys_of_theirs_and_no_others(name):
    """Of LLaMA's own keys only those that tell sizes and tokens; the rest are its defaults."""
    reference = golden_json(name)["config"]
    llama = set(list(reference)[: list(reference).index("transformers_version") + 1])
    config = MODELS[name]().config
    written = layout_of(config).write(config)
    assert set(written) - llama == (set(reference) - llama) | {"seal"}
    named = {"mm_vision_tower", "vision_tower"}
    for key in set(reference) & set(written) - named:
        assert written[key] == reference[key], key
    assert {written[key] for key in named & set(reference)} == {"openai/clip-vit-large-patch14"}


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_what_is_written_for_their_code_follows_the_umask(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        folder = tiny_models.tokenizer().folder
        write_authors(tmp_path / "theirs", tiny_models.vsm_model(), folder)
        save_model(tmp_path / "ours", tiny_models.vsm_model(), folder)
    finally:
        os.umask(before)
    files = [*(tmp_path / "theirs").iterdir(), *(tmp_path / "ours").iterdir()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {mode}
