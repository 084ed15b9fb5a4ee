"""Adapter folders: written whole or not at all, read from peft as well, refused by key."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny_decoders
import tiny_models
import torch
from mixed_batches import vqa_model
from record_sets import tiny_tokenizer
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from seal.models.files.adapted import put_adapter, with_adapter
from seal.models.files.adapter import read_adapter, require_base, write_adapter
from seal.models.files.model_config import config_to_dict
from seal.models.fit.lora import LoraConfig, add_lora
from seal.models.parts.router import RouterConfig

CONFIG = LoraConfig(rank=2, alpha=4, dropout=0.1)


def adapted(seed: int, config: LoraConfig = CONFIG) -> Any:
    torch.manual_seed(seed)
    model = vqa_model()
    add_lora(model, config)
    for name, parameter in model.named_parameters():
        if ".lora_B." in name:
            nn.init.normal_(parameter)
    return model


def trained(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}


@pytest.fixture(scope="module")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    tiny_tokenizer(folder)
    return folder


@pytest.fixture
def folder(tmp_path: Path, tokenizer_folder: Path) -> Path:
    write(tmp_path / "adapter", tokenizer_folder, trained(adapted(1)))
    return tmp_path / "adapter"


def write(folder: Path, tokenizer: Path, tensors: dict[str, Tensor]) -> None:
    facts = {"base": {"folder": "models/base", "fingerprint": "abc"}}
    write_adapter(
        folder, tensors, CONFIG, base="models/base", tokenizer_folder=tokenizer, facts=facts
    )


def change_weights(folder: Path, change: Any, file: str = "adapter_model.safetensors") -> None:
    tensors = load_file(folder / file)
    change(tensors)
    save_file(tensors, folder / file)


def test_what_is_written_comes_back_in_another_model(folder: Path) -> None:
    source, other = adapted(1), adapted(2)
    put_adapter(other, read_adapter(folder), CONFIG)
    got = trained(other)
    assert len(got) > 8
    for name, value in trained(source).items():
        assert torch.equal(got[name], value), name
    frozen = {n: p for n, p in other.named_parameters() if not p.requires_grad}
    untouched = dict(adapted(2).named_parameters())
    assert all(torch.equal(value, untouched[name]) for name, value in frozen.items())


def test_levels_and_a_router_that_the_base_model_lacks_come_with_the_adapters(
    tmp_path: Path, tokenizer_folder: Path
) -> None:
    source = tiny_models.levelled_vqa_model(1, router=RouterConfig())
    plain = replace(source.config, granularity=None, router=None)
    source.requires_grad_(False)
    source.router.requires_grad_(True)
    add_lora(source, CONFIG)
    facts = {
        "base": {"folder": "models/base", "fingerprint": "abc"},
        "model": config_to_dict(source.config),
    }
    write_adapter(
        tmp_path / "adapter", trained(source), CONFIG, base="models/base",
        tokenizer_folder=tokenizer_folder, facts=facts,
    )  # fmt: skip
    base: Any = with_adapter(plain.build(), read_adapter(tmp_path / "adapter"))
    assert base.config == source.config and base.levels == source.levels
    own = source.router.state_dict()
    assert all(torch.equal(value, own[key]) for key, value in base.router.state_dict().items())


def test_the_same_adapter_has_the_same_bytes(
    folder: Path, tmp_path: Path, tokenizer_folder: Path
) -> None:
    write(tmp_path / "again", tokenizer_folder, trained(adapted(1)))
    for path in folder.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()
        assert path.stat().st_mode & 0o777 == (folder / "training.json").stat().st_mode & 0o777


def test_a_folder_that_peft_wrote_is_read(tmp_path: Path) -> None:
    from peft import LoraConfig as PeftLoraConfig
    from peft import get_peft_model

    torch.manual_seed(5)
    settings = PeftLoraConfig(
        r=2, lora_alpha=4, target_modules=["v_proj", "q_proj"], modules_to_save=["lm_head"],
        init_lora_weights=False,
    )  # fmt: skip
    wrapped = get_peft_model(vqa_model().llm, settings)
    wrapped.save_pretrained(tmp_path)
    model = adapted(2)
    adapter = read_adapter(tmp_path)
    assert (adapter.base_fingerprint, adapter.targets) == (None, ("q_proj", "v_proj"))
    put_adapter(model, adapter, CONFIG)
    there = {n: p for n, p in wrapped.named_parameters() if ".lora_" in n}
    here = {n: p for n, p in model.named_parameters() if ".lora_" in n}
    for (name, value), (other, expected) in zip(here.items(), there.items(), strict=True):
        assert other.endswith(name.removeprefix("llm."))
        assert torch.equal(value, expected)
    head = wrapped.base_model.model.lm_head.modules_to_save["default"].weight
    assert torch.equal(model.llm.lm_head.weight, head)


def test_peft_puts_trained_word_embeddings_into_a_tied_head(
    tmp_path: Path, tokenizer_folder: Path
) -> None:
    from peft import PeftModel

    model = tiny_decoders.vqa_model("smollm2")
    model.set_trainable("instruct")
    model.llm.requires_grad_(False)
    model.llm.get_input_embeddings().requires_grad_(True)
    add_lora(model, CONFIG)
    with torch.no_grad():
        for parameter in trained(model).values():
            parameter.add_(0.1 * torch.randn_like(parameter))
    write_adapter(
        tmp_path / "adapter", trained(model), CONFIG, base="base", facts={},
        tokenizer_folder=tokenizer_folder, tied=True,
    )  # fmt: skip
    wrapped = PeftModel.from_pretrained(tiny_decoders.build("smollm2"), str(tmp_path / "adapter"))
    ids = torch.tensor([[3, 4, 5]])
    expected = model.eval().llm(input_ids=ids).logits
    torch.testing.assert_close(wrapped.eval()(input_ids=ids).logits, expected)
    other = tiny_decoders.vqa_model("smollm2")
    with_adapter(other, read_adapter(tmp_path / "adapter"))
    torch.testing.assert_close(other.llm(input_ids=ids).logits, expected)


A = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.pop(A), "llm.*layers.0.self_attn.q_proj.lora_A.default.weight is missing"),
        (
            lambda t: t.update({A: torch.zeros(3, 16)}),
            r"lora_A.* is \[3, 16\], but adapter_config.json says r=2",
        ),
        (
            lambda t: t.update({A.replace("q_proj", "k_proj"): t[A].clone()}),
            "no place for llm.*k_proj.lora_A",
        ),
        (lambda t: t.update({A: torch.zeros(2, 9)}), r"is \[2, 9\] there, \[2, 16\] here"),
        (lambda t: t.update({A: torch.zeros(2, 16, dtype=torch.int32)}), "of type torch.int32"),
        (lambda t: t.update({"lora_A": t[A].clone()}), "lora_A is no name that peft gives"),
    ],
)
def test_tensors_that_do_not_fit_are_named(folder: Path, change: Any, says: str) -> None:
    change_weights(folder, change)
    before = {name: value.clone() for name, value in adapted(2).named_parameters()}
    model = adapted(2)
    with pytest.raises(ValueError, match=says):
        put_adapter(model, read_adapter(folder), CONFIG)
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())


def test_a_head_of_another_shape_is_named(folder: Path) -> None:
    wrong = {"image_projector.weight": torch.zeros(16, 13)}
    change_weights(folder, lambda tensors: tensors.update(wrong), "heads.safetensors")
    with pytest.raises(ValueError, match=r"image_projector.weight is \[16, 13\] there, \[16, 12\]"):
        put_adapter(adapted(2), read_adapter(folder), CONFIG)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("use_dora", True),
        ("use_rslora", True),
        ("bias", "all"),
        ("rank_pattern", {"q_proj": 4}),
        ("peft_type", "LOHA"),
        ("target_modules", ".*q_proj"),
        ("r", None),
        ("base_model_name_or_path", 3),
    ],
)
def test_adapters_that_are_not_plain_lora_are_refused_by_key(
    folder: Path, key: str, value: Any
) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(ValueError, match=rf"adapter_config.json: .*{key}="):
        read_adapter(folder)


def test_another_base_model_is_refused(folder: Path) -> None:
    adapter = read_adapter(folder)
    require_base(adapter, "elsewhere/base", "abc")
    with pytest.raises(ValueError, match="over models/base as fingerprint abc, and new has def"):
        require_base(adapter, "new", "def")


def test_an_incomplete_folder_is_told(folder: Path) -> None:
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"no adapter_model\.safetensors: the folder is inc"):
        read_adapter(folder)


def test_only_an_adapter_folder_is_replaced(folder: Path, tokenizer_folder: Path) -> None:
    write(folder, tokenizer_folder, trained(adapted(2)))
    assert read_adapter(folder).rank == 2
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"it is no adapter folder \(it holds notes.txt\)"):
        write(folder, tokenizer_folder, trained(adapted(1)))
    with pytest.raises(ValueError, match="it is no adapter folder"):
        write(tokenizer_folder, tokenizer_folder, trained(adapted(1)))


def test_a_projection_trained_beside_its_own_adapter_is_refused(
    tmp_path: Path, tokenizer_folder: Path
) -> None:
    model = adapted(1, LoraConfig(rank=2, alpha=4, targets=["lm_head"]))
    with pytest.raises(ValueError, match=r"lm_head.base_layer.weight was trained beside its own"):
        write(tmp_path / "x", tokenizer_folder, trained(model))
