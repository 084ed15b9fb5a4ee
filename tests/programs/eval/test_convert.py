"""The converter takes models to the authors' layout and back, and checks lists of tensors."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pytest
import tiny_models
import tiny_tokenizers
import torch
import transformers as hf
from programs_here import ROOT, run_program
from safetensors.torch import save_file

from seal.geometry import Box
from seal.inference.load import load_search_model
from seal.models.files.authors import authors_keys
from seal.models.files.load import load_model, read_config
from seal.models.files.save import save_model
from seal.models.vqa import VQAModelConfig
from seal.models.vsm import VSMModelConfig
from seal.schema import from_dict
from seal.search.protocol import Patch, Query
from seal.text.tokenize import load_tokenizer


def smoke_model(kind: str):
    from omegaconf import OmegaConf

    sizes = OmegaConf.to_container(OmegaConf.load(ROOT / "conf" / "model" / f"{kind}_smoke.yaml"))
    torch.manual_seed(0)
    if kind == "avg":  # as released
        sizes["tiles"]["unpad"] = "as_released"
        sizes["router"] = {"num_heads": 8, "attends": "tiles"}
    return from_dict(VSMModelConfig if kind == "vsm" else VQAModelConfig, sizes).build()


@pytest.mark.parametrize("kind", ["vqa", "vsm", "avg"])
def test_a_model_survives_the_way_to_the_authors_layout_and_back(kind, tmp_path, capsys):
    model = smoke_model(kind).bfloat16()
    save_model(tmp_path / "ours", model, tiny_models.tokenizer().folder)
    there = [f"source={tmp_path / 'ours'}", f"out={tmp_path / 'theirs'}", "to=authors"]
    assert run_program("eval/convert", *there) == 0
    assert json.loads((tmp_path / "theirs" / "config.json").read_text())["vocab_size"] == 344

    back = [f"source={tmp_path / 'theirs'}", f"out={tmp_path / 'back'}"]
    if kind == "vsm":  # as released: the file has no tower
        assert run_program("eval/convert", *back) == 2
        assert "clip=" in capsys.readouterr().err
        tower = model.vision_tower.vision_model.state_dict()
        (tmp_path / "clip").mkdir()
        tensors = {f"vision_model.{key}": value.clone() for key, value in tower.items()}
        save_file(tensors, tmp_path / "clip" / "model.safetensors")
        back.append(f"clip={tmp_path / 'clip'}")
    assert run_program("eval/convert", *back) == 0
    found = load_model(tmp_path / "back", keep_dtype=True).state_dict()
    assert all(torch.equal(found[key], value) for key, value in model.state_dict().items())
    for path in tiny_models.tokenizer().folder.iterdir():
        assert (tmp_path / "back" / path.name).read_bytes() == path.read_bytes()


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
    table = capsys.readouterr().out.split()
    told = dict(zip(table[::2], table[1::2], strict=True))
    assert told["mapped"] == str(len(state)) and int(told["recomputed"]) == llm.num_hidden_layers
    assert told["unmapped"] == told["unfilled"] == "0"
    assert int(told["object_projector"].replace(",", "")) == sum(
        p.numel() for p in model.object_projector.parameters()
    )
    lost = shapes.pop("model.norm.weight")
    path.write_text(json.dumps(shapes | {"lm_head.bias": [3]}))
    assert run_program("eval/convert", "model=vqa_smoke", f"check={path}") == 1
    table = capsys.readouterr().out
    assert "unmapped         1\n  lm_head.bias\n" in table
    assert "unfilled         1\n  llm.model.norm.weight (model.norm.weight)" in table
    path.write_text(json.dumps(shapes | {"model.norm.weight": [*lost, 2]}))
    assert run_program("eval/convert", "model=vqa_smoke", f"check={path}") == 1
    assert "reshaped         1\n  model.norm.weight has shape" in capsys.readouterr().out
    path.write_text("[1]")
    assert run_program("eval/convert", "model=vqa_smoke", f"check={path}") == 2


def test_parts_of_another_family_get_the_tokens_and_the_template_they_need(tmp_path, capsys):
    sizes = smoke_model("vsm").config
    source = tiny_tokenizers.folder("llama3")
    plain = load_tokenizer(source)
    llm = dataclasses.replace(sizes.llm, vocab_size=plain.vocab_size, eos_token_id=plain.eos_id)
    shutil.copytree(source, tmp_path / "llm")
    llm.build().save_pretrained(tmp_path / "llm")
    text = {"hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1, "vocab_size": 9}
    seen = {"image_size": 64, "patch_size": 8, "num_hidden_layers": 2}
    tower = {"image_size": 56, "patch_size": 14, "num_hidden_layers": 3}
    both = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2}
    both["hidden_act"] = "quick_gelu"
    hf.CLIPVisionModel(hf.CLIPVisionConfig(**tower, **both)).save_pretrained(tmp_path / "clip")
    owl = hf.OwlViTConfig(text_config=text, vision_config=seen | both, projection_dim=16)
    hf.OwlViTForObjectDetection(owl).save_pretrained(tmp_path / "owl")
    command = [
        "eval/convert", "model=vsm_smoke", f"llm={tmp_path / 'llm'}", f"vision={tmp_path / 'clip'}",
        f"detector={tmp_path / 'owl'}", f"out={tmp_path / 'out'}", "+model.prompt_style=chat",
        f"+model.llm.eos_token_id={plain.eos_id}",
    ]  # fmt: skip
    assert run_program(*command, f"model.llm.vocab_size={plain.vocab_size}") == 2
    told = f"{tmp_path / 'llm'}: the tokenizer has {plain.vocab_size + 4} tokens, the model"
    assert told in capsys.readouterr().err
    command.append(f"model.llm.vocab_size={plain.vocab_size + 4}")
    assert run_program(*command, "++model.vision.num_attention_heads=4") == 2
    # vsm_smoke has the one of these in its file and not the other.
    told = "heads=2, but the model has 4: ++model.vision.num_attention_heads="
    assert told in capsys.readouterr().err
    command += ["++model.vision.num_attention_heads=2", "++model.vision.pretrained_size=56"]
    template = tmp_path / "llm" / "chat_template.jinja"
    own = template.rename(tmp_path / "own.jinja")
    assert run_program(*command) == 2
    told = f"{tmp_path / 'llm'} has no chat template"
    assert told in capsys.readouterr().err and not (tmp_path / "out").exists()
    assert run_program(*command, f"chat_template={own}") == 0
    assert (tmp_path / "out" / "chat_template.jinja").read_bytes() == own.read_bytes()
    words = [word for word in command if "model.llm" not in word and not word.startswith("out=")]
    words += ["model.llm=null", f"out={tmp_path / 'same'}", f"chat_template={own}"]
    assert run_program(*words) == 0
    assert read_config(tmp_path / "same").llm == dataclasses.replace(
        llm, vocab_size=plain.vocab_size + 4
    )
    search = load_search_model(tmp_path / "out", device="cpu")
    assert search.model.config.prompt_style == "chat"
    assert search.tokenizer.token_id("[LOC]") == plain.vocab_size + 3
    (found,) = search.detect(
        [Query("detect", Patch(tiny_models.noise(), Box(0, 0, 120, 90)), "mug")]
    )
    assert np.isfinite(found.scores).all()
    assert (
        run_program(
            "eval/convert", f"source={tmp_path / 'out'}", f"out={tmp_path / 'x'}", "to=authors"
        )
        == 2
    )
    assert "no place for" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["source=a", "out=b"], "a: no such model folder"),
        (["source=a"], "out="),
        (["out=b", "llm=a"], "model="),
        (["model=vqa_smoke", "out=b"], "source= or llm="),
        (["model=vqa_smoke", "out=b", "llm=a"], "vision="),
        (["model=vqa_smoke", "out=b", "llm=a", "vision=c", "clip=d"], "set one"),
        (["model=vqa_smoke", "out=b", "llm=tests", "clip=tests"], "tests has no tokenizer.model"),
        (["source=a", "out=b", "chat_template=c"], "goes with parts: set llm="),
        (["source=a", "out=b", "to=theirs"], "ours, authors"),
        (["out=b", "llm=a", "to=authors"], "source="),
    ],
)
def test_what_is_missing_is_named(overrides, named, capsys):
    assert run_program("eval/convert", *overrides) == 2
    assert named in capsys.readouterr().err
