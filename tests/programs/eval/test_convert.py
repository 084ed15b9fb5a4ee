"""The converter takes models to the authors' layout and back, and checks lists of tensors."""

from __future__ import annotations

import json

import pytest
import tiny_models
import torch
from programs_here import ROOT, run_program

from seal.models.convert import authors_keys
from seal.models.load import load_model, save_model
from seal.models.vqa import VQAModelConfig
from seal.models.vsm import VSMModelConfig
from seal.schema import from_dict


def smoke_model(kind: str):
    from omegaconf import OmegaConf

    sizes = OmegaConf.to_container(OmegaConf.load(ROOT / "conf" / "model" / f"{kind}_smoke.yaml"))
    torch.manual_seed(0)
    return from_dict(VQAModelConfig if kind == "vqa" else VSMModelConfig, sizes).build()


@pytest.mark.parametrize("kind", ["vqa", "vsm"])
def test_a_model_survives_the_way_to_the_authors_layout_and_back(kind, tmp_path, capsys):
    model = smoke_model(kind).bfloat16()
    save_model(tmp_path / "ours", model, tiny_models.tokenizer().folder)
    there = [f"source={tmp_path / 'ours'}", f"out={tmp_path / 'theirs'}", "to=authors"]
    assert run_program("eval/convert", *there) == 0
    assert json.loads((tmp_path / "theirs" / "config.json").read_text())["vocab_size"] == 344

    back = [f"model={kind}_smoke", f"source={tmp_path / 'theirs'}", f"out={tmp_path / 'back'}"]
    if kind == "vsm":  # as released: the file has no tower
        assert run_program("eval/convert", *back) == 2
        assert "clip=" in capsys.readouterr().err
        return
    assert run_program("eval/convert", *back) == 0
    found = load_model(tmp_path / "back", dtype=torch.bfloat16).state_dict()
    assert all(torch.equal(found[key], value) for key, value in model.state_dict().items())


def test_a_list_of_tensors_is_checked_without_weights(tmp_path, capsys):
    model = smoke_model("vqa")
    state, llm = model.state_dict(), model.config.llm
    frequencies = [llm.hidden_size // llm.num_attention_heads // 2]
    shapes = {
        theirs: frequencies if ours is None else list(state[ours].shape)
        for theirs, ours in authors_keys(model).items()
    }
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(shapes))
    assert run_program("eval/convert", "model=vqa_smoke", f"check={path}") == 0
    path.write_text(json.dumps(shapes | {"lm_head.bias": [3]}))
    assert run_program("eval/convert", "model=vqa_smoke", f"check={path}") == 1
    assert "extra key lm_head.bias" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["source=a", "out=b"], "model="),
        (["model=vqa_smoke", "out=b"], "source= or llm="),
        (["model=vqa_smoke", "out=b", "llm=a"], "clip="),
        (["source=a", "out=b", "to=theirs"], "ours, authors"),
        (["out=b", "llm=a", "to=authors"], "source="),
    ],
)
def test_what_is_missing_is_named(overrides, named, capsys):
    assert run_program("eval/convert", *overrides) == 2
    assert named in capsys.readouterr().err
