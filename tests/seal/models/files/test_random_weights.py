"""A folder of random weights is a model folder, and an interrupted one is gone on with."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import tiny_models
import torch
from safetensors.torch import load_file

from seal.images.tiles import TilesConfig
from seal.models.files import random_weights
from seal.models.files.load import load_model
from seal.models.files.random_weights import random_model, write_random_model
from seal.models.parts.router import RouterConfig
from seal.models.vqa import VQAModelConfig
from seal.models.vsm import VSMModelConfig

SHARD = 40_000  # bytes: several shards of the tiny models


def _write(folder: Path, config: VQAModelConfig | VSMModelConfig, **options: object) -> Path:
    options = {"shard_bytes": SHARD, **options}
    write_random_model(folder, config, tiny_models.tokenizer().folder, **options)  # type: ignore[arg-type]
    return folder


def avg_model():
    return tiny_models.levelled_vqa_model(tiles=TilesConfig(), router=RouterConfig())


@pytest.mark.parametrize("model", [tiny_models.vqa_model, tiny_models.vsm_model, avg_model])
def test_the_folder_loads_strictly_and_keeps_its_type(tmp_path: Path, model) -> None:
    config = model().config
    folder = _write(tmp_path / "model", config)
    assert len(list(folder.glob("*.safetensors"))) > 1
    assert all(path.stat().st_size < SHARD + 40_000 for path in folder.glob("*.safetensors"))
    loaded = load_model(folder, keep_dtype=True)
    assert loaded.config == config
    assert {t.dtype for t in loaded.state_dict().values()} == {torch.bfloat16}


def test_layers_pass_on_the_variance_they_get(tmp_path: Path) -> None:
    state = load_model(_write(tmp_path / "m", tiny_models.vqa_model().config)).state_dict()
    weight = state["llm.model.layers.0.mlp.down_proj.weight"]
    assert float(weight.std()) == pytest.approx(weight.shape[1] ** -0.5, rel=0.1)
    assert bool((state["llm.model.norm.weight"] == 1).all())
    assert bool((state["object_projector.0.weight"] == 1).all())
    assert bool((state["image_projector.bias"] == 0).all())


def test_an_id_that_is_never_chosen_has_logit_zero_and_the_largest_is_above(
    tmp_path: Path,
) -> None:
    folder = _write(tmp_path / "m", tiny_models.vqa_model().config, never={2, 7})
    head = load_model(folder).llm.lm_head
    logits = head(torch.randn(50, head.in_features, generator=torch.Generator().manual_seed(0)))
    assert bool((logits[:, [2, 7]] == 0).all())
    assert bool((logits.max(-1).values > 0).all())
    assert int((head.weight == 0).all(1).sum()) == 2


def test_what_was_interrupted_is_gone_on_with(tmp_path: Path, monkeypatch) -> None:
    config = tiny_models.vqa_model().config
    whole = _write(tmp_path / "whole", config)
    folder = tmp_path / "model"
    saved: list[Path] = []

    def save(state: object, path: Path, metadata: object) -> None:
        if len(saved) == 2:
            raise KeyboardInterrupt
        saved.append(path)
        real(state, path, metadata=metadata)

    real = random_weights.save_file
    monkeypatch.setattr(random_weights, "save_file", save)
    with pytest.raises(KeyboardInterrupt):
        _write(folder, config)
    with pytest.raises(ValueError, match=r"config\.json does not exist"):
        load_model(folder)
    monkeypatch.setattr(random_weights, "save_file", real)
    first = sorted(folder.glob("*.safetensors"))
    assert len(first) == 2
    written = [path.stat().st_mtime_ns for path in first]
    _write(folder, config)
    assert [path.stat().st_mtime_ns for path in first] == written
    for path in sorted(whole.glob("*.safetensors")):
        here, there = load_file(folder / path.name), load_file(path)
        assert here.keys() == there.keys()
        assert all(torch.equal(here[key], there[key]) for key in here)


def test_a_complete_folder_is_left_as_it_is(tmp_path: Path) -> None:
    config = tiny_models.vqa_model().config
    folder = _write(tmp_path / "m", config)
    written = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.safetensors")}
    _write(folder, config)
    assert written == {p.name: p.stat().st_mtime_ns for p in folder.glob("*.safetensors")}


def test_the_numbers_do_not_depend_on_the_shards(tmp_path: Path) -> None:
    config = tiny_models.vqa_model().config
    many = load_model(_write(tmp_path / "many", config)).state_dict()
    one = load_model(_write(tmp_path / "one", config, shard_bytes=1 << 30)).state_dict()
    other = load_model(_write(tmp_path / "other", config, seed=1)).state_dict()
    key = "llm.model.embed_tokens.weight"
    assert all(torch.equal(many[name], one[name]) for name in many)
    assert not torch.equal(many[key], other[key])


def test_a_folder_of_another_model_is_refused(tmp_path: Path) -> None:
    config = tiny_models.vqa_model().config
    folder = _write(tmp_path / "m", config)
    with pytest.raises(ValueError, match=r"training\.json has seed=0, not 5"):
        _write(folder, config, seed=5)
    deeper = replace(config, llm=replace(config.llm, num_hidden_layers=3))
    with pytest.raises(ValueError, match="another model"):
        _write(folder, deeper)
    other = tmp_path / "other"
    other.mkdir()
    (other / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ValueError, match="something else"):
        _write(other, config)


def test_too_little_room_is_told_before_anything_is_drawn(tmp_path: Path, monkeypatch) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(random_weights.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(OSError, match="make room or choose another folder"):
        _write(tmp_path / "m", tiny_models.vqa_model().config)
    assert [path.name for path in (tmp_path / "m").iterdir()] == ["training.json"]
    assert json.loads((tmp_path / "m" / "training.json").read_text(encoding="utf-8"))["steps"] == 0


@pytest.mark.parametrize("model", [tiny_models.vqa_model, tiny_models.vsm_model])
def test_a_model_drawn_where_it_is_used_is_the_one_a_folder_holds(tmp_path: Path, model) -> None:
    config = model().config
    stored = load_model(_write(tmp_path / "m", config, seed=3), keep_dtype=True).state_dict()
    drawn = random_model(config, seed=3).state_dict()
    assert drawn.keys() == stored.keys()
    assert all(torch.equal(drawn[key], tensor) for key, tensor in stored.items())


@pytest.mark.parametrize("quantization", ["int8", "nf4"])
def test_a_model_is_drawn_packed(quantization: str) -> None:
    drawn = random_model(tiny_models.vqa_model().config, quantization=quantization)
    assert drawn.llm.model.layers[0].mlp.up_proj.weight.dtype in (torch.int8, torch.uint8)
    assert drawn.llm.lm_head.weight.dtype == torch.bfloat16
